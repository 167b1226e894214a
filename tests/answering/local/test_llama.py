"""The real reader on the small model."""

import threading
from collections.abc import Iterator

import pytest

from rag import stopping
from rag.answering.local.llama import LlamaReader, ModelLock
from rag.answering.local.store import PassageStore
from rag.answering.prompt import Piece
from rag.engine import Engine
from rag.errors import QuestionError, WeightsError
from rag.stopping import Stop, Stopped
from rag.weights.sources import Source
from tests.answering.conftest import OTHER, PASSAGE, QUESTION, ROUNDING
from tests.fakes import drained


def written(turn: ModelLock) -> Iterator[int]:
    with turn.taken():
        yield from range(3)


def test_a_generator_that_another_thread_closes_gives_its_turn_back() -> None:
    turn = ModelLock()
    pieces = written(turn)
    assert next(pieces) == 0
    closing = threading.Thread(target=pieces.close)  # type: ignore[attr-defined]
    closing.start()
    closing.join()
    assert list(written(turn)) == [0, 1, 2]


def test_one_who_waits_goes_when_it_is_stopped() -> None:
    turn, stop, gone = ModelLock(), Stop(), threading.Event()

    def wait() -> None:
        with stopping.by(stop), pytest.raises(Stopped), turn.taken():
            raise AssertionError("two had the turn")
        gone.set()

    with turn.taken():
        thread = threading.Thread(target=wait)
        thread.start()
        stop.set()
        assert gone.wait(60)
        thread.join()


def test_one_thread_cannot_wait_for_itself() -> None:
    turn = ModelLock()
    pieces = written(turn)
    next(pieces)
    with pytest.raises(RuntimeError, match="close it first"):
        next(written(turn))
    assert list(pieces) == [1, 2]
    assert list(written(turn)) == [0, 1, 2]


@pytest.mark.real
def test_a_passage_that_answers_is_judged_higher(reader: LlamaReader) -> None:
    assert reader.judge(QUESTION, PASSAGE) > reader.judge(QUESTION, OTHER)


@pytest.mark.real
def test_the_answer_holds_what_the_passage_says(reader: LlamaReader, real_engine: Engine) -> None:
    instruction = real_engine.models.prompts.phrases("id").instruction
    assert "Jakarta" in "".join(reader.answer(QUESTION, [PASSAGE], instruction))


@pytest.mark.real
def test_an_answer_longer_than_it_may_be_is_cut_and_one_of_just_that_length_is_not(
    reader: LlamaReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = drained(reader.answer(QUESTION, [PASSAGE], "Jawab."))
    assert not cut
    tokens = reader._model.tokens((Piece(whole, trusted=False),))
    monkeypatch.setattr(reader, "_answer_tokens", len(tokens))
    assert drained(reader.answer(QUESTION, [PASSAGE], "Jawab.")) == (whole, False)
    monkeypatch.setattr(reader, "_answer_tokens", len(tokens) - 1)
    shorter, cut = drained(reader.answer(QUESTION, [PASSAGE], "Jawab."))
    assert cut
    assert whole.startswith(shorter)


@pytest.mark.real
def test_leaving_an_answer_early_leaves_the_reader_usable(reader: LlamaReader) -> None:
    before = reader.judge(QUESTION, PASSAGE)
    pieces = reader.answer(QUESTION, [PASSAGE], "Jawab.")
    next(pieces)
    pieces.close()
    assert reader.judge(QUESTION, PASSAGE) == pytest.approx(before, abs=ROUNDING)


@pytest.mark.real
def test_a_passage_longer_than_the_context_is_read_as_far_as_it_fits(narrow_reader: LlamaReader) -> None:
    endless = PASSAGE + " kata" * 4_000
    narrow_reader.judge(QUESTION, endless)
    next(narrow_reader.answer(QUESTION, [endless], "Jawab."))
    assert narrow_reader._held.used() <= narrow_reader._held.room


@pytest.mark.real
def test_a_question_that_fills_the_context_is_refused(reader: LlamaReader) -> None:
    with pytest.raises(QuestionError, match="leaves no room"):
        reader.judge("kata " * 10_000, PASSAGE)


@pytest.mark.real
def test_a_file_that_is_no_model_is_reported(real_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("w") / "no.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(WeightsError, match=r"cannot load .*; set RAG_LLM"):
        LlamaReader(
            Source("no", path, "0"),
            real_engine.models.prompts,
            store=PassageStore(path.parent, 0),
            threads=1,
            context_tokens=1024,
            answer_tokens=16,
        )


@pytest.mark.real
def test_a_conversation_is_rewritten_from_and_leaves_nothing_behind(reader: LlamaReader, real_engine: Engine) -> None:
    before, used = reader.judge(QUESTION, PASSAGE), reader._held.used()
    conversation = "Who is Iran's defence minister?\nIran's defence minister is Mohammad Reza Ashtiani."
    stored = set(real_engine.settings.home.rglob("passages/*"))
    assert len(reader.rewrite("What did he say about Venezuela?", conversation, "English")) > 10
    # Passages may have given way to it.
    assert reader._held.used() <= used
    assert set(real_engine.settings.home.rglob("passages/*")) == stored
    assert reader.judge(QUESTION, PASSAGE) == pytest.approx(before, abs=ROUNDING)
