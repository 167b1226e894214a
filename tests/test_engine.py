import gc
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rag import stopping
from rag.answering.citing import verifies
from rag.answering.local.store import Warmed, key
from rag.engine import MOST_QUESTION_CHARACTERS, Engine, whole
from rag.errors import IndexDamaged, IndexMismatch, IndexMissing, QuestionError, SeedError, WeightsError
from rag.judging import other_judges
from rag.judging.other_judges import HubJudge, LlmJudge
from rag.settings import Settings
from rag.stopping import Stop, Stopped
from rag.types import Answer, Citation, Event, Found, Marked, Passage, Turn, Understood
from rag.weights.catalogue import SHIPPED
from tests.conftest import FakeEngine, FakeModels
from tests.fakes import OverlapReader, ScriptedJudge

QUESTION = "Apa kata Menteri Pertahanan Ashtiani tentang Venezuela?"


def test_search_finds_the_chunk_that_says_it(engine: Engine) -> None:
    (engine.settings.seeds / "gajah.txt").write_text("Gajah Sumatra hidup di Lampung.", encoding="utf-8")
    engine.rebuild()
    passages = engine.search("Menteri Pertahanan Ashtiani mengekspor peralatan militer Venezuela", 2)
    assert len(passages) == 2
    assert "Venezuela" in passages[0].text
    assert passages[0].score > passages[1].score
    assert passages[0].dense is not None
    assert passages[0].lexical is not None
    assert passages[0].lexical > 0


def test_every_passage_and_citation_is_a_range_of_the_original(engine: Engine) -> None:
    answer = engine.ask("Apa kata Menteri Pertahanan Ashtiani tentang Venezuela?")
    places: list[Passage | Citation] = [*answer.passages, *answer.citations]
    for place in places:
        document = engine.document(place.document_id)
        assert document is not None
        assert document.text[place.start : place.end] == place.text
    assert answer.answered
    assert all(verifies(citation, engine.document(citation.document_id)) for citation in answer.citations)


def test_an_answer_names_what_made_it(engine: Engine) -> None:
    answer = engine.ask("Apa kata Menteri Pertahanan tentang Venezuela?")
    assert answer.receipt.snapshot == engine.snapshot().manifest.id
    assert (answer.receipt.llm, answer.receipt.embedder) == ("overlap-1", "bag-1")
    assert answer.receipt.judge == SHIPPED.sha256
    assert answer.receipt.prompts == engine.models.prompts.digest


def test_observers_see_what_was_found_before_the_answer(engine: Engine) -> None:
    seen: list[object] = []
    whole(engine.stream("Venezuela dan Menteri Pertahanan?"), seen.append)
    assert isinstance(seen[0], Found)


@pytest.mark.parametrize("question", ["", "   \n", "?!…", "x" * (MOST_QUESTION_CHARACTERS + 1)])
def test_an_empty_or_endless_question_is_refused_before_anything_is_loaded(engine: Engine, question: str) -> None:
    with pytest.raises(QuestionError):
        engine.ask(question)
    with pytest.raises(QuestionError):
        engine.search(question, 3)


@pytest.mark.parametrize("count", [0, -1, 101])
def test_a_count_without_meaning_is_refused(engine: Engine, count: int) -> None:
    with pytest.raises(QuestionError, match="ask for 1 to 100"):
        engine.search("Venezuela?", count)


def test_without_an_index_the_command_that_makes_one_is_named(engine: Engine) -> None:
    empty = FakeEngine(replace(engine.settings, home=engine.settings.home / "elsewhere"))
    with pytest.raises(IndexMissing, match="run `rag index`"):
        empty.search("Venezuela?", 3)


def test_an_index_of_another_embedder_is_refused(engine: Engine) -> None:
    other = FakeEngine(replace(engine.settings, embedder="another"))
    with pytest.raises(IndexMismatch, match="made with the embedder bag, not another"):
        other.search("Venezuela?", 3)


def test_a_new_snapshot_is_served_without_a_restart(engine: Engine) -> None:
    assert all("Gajah" not in passage.text for passage in engine.search("Gajah Sumatra", 5))
    (engine.settings.seeds / "gajah.txt").write_text("Gajah Sumatra hidup di Lampung.", encoding="utf-8")
    engine.rebuild()
    assert engine.search("Gajah Sumatra", 5)[0].text == "Gajah Sumatra hidup di Lampung."


def test_into_seeds_that_are_gone_nothing_is_added_for_the_index_would_lose_all_else(engine: Engine, tmp_path: Path) -> None:
    engine.settings.seeds.rename(tmp_path / "elsewhere")
    other = tmp_path / "b.txt"
    other.write_text("Gajah makan daun.")
    with pytest.raises(SeedError, match="bring it back"):
        engine.add_bytes(b"Gajah makan daun.", "a.txt")
    with pytest.raises(SeedError, match="bring it back"):
        engine.add([other])
    assert not engine.settings.seeds.exists()


def test_a_pointer_that_names_nothing_a_disk_can_have_is_damage(engine: Engine) -> None:
    (engine.settings.index / "current").write_text("a" * 5000)
    with pytest.raises(IndexDamaged, match="names no snapshot"):
        engine.snapshot()


def test_a_snapshot_that_is_not_kept_cannot_be_asked(engine: Engine) -> None:
    with pytest.raises(IndexMissing, match="there is no snapshot nobody"):
        engine.ask(QUESTION, snapshot_id="nobody")


def test_threads_may_search_while_the_index_is_rebuilt(engine: Engine) -> None:
    failures: list[Exception] = []

    def search() -> None:
        try:
            for _ in range(20):
                assert engine.search("Menteri Pertahanan Venezuela", 3)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failures.append(error)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(5):
        (engine.settings.seeds / f"{n}.txt").write_text(f"Dokumen baru nomor {n}.", encoding="utf-8")
        engine.rebuild()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_service_lets_go_of_the_snapshots_it_no_longer_needs(engine: Engine) -> None:
    """Each holds a file or more open for every segment: a service that runs for weeks would run out of them."""
    files = Path("/proc/self/fd")
    if not files.is_dir():
        pytest.skip("only Linux tells")
    held: list[int] = []
    gc.disable()
    try:
        for n in range(12):
            (engine.settings.seeds / "new.txt").write_text(f"Gajah nomor {n} hidup di Lampung.", encoding="utf-8")
            engine.rebuild()
            assert "Gajah" in engine.search("Gajah Lampung", 1)[0].text
            held.append(len(list(files.iterdir())))
    finally:
        gc.enable()
    assert max(held[6:]) <= max(held[:6]) + 2


def test_a_search_under_way_goes_on_over_a_pruned_snapshot(engine: Engine) -> None:
    retriever = engine.retriever()
    for n in range(3):
        (engine.settings.seeds / f"{n}.txt").write_text(f"Gajah nomor {n}.", encoding="utf-8")
        engine.rebuild()
    engine.prune(1)
    assert len(engine.snapshots()) == 1
    assert "Venezuela" in retriever.search("Menteri Pertahanan Venezuela", "id", 1)[0].text


class WaitingModels(FakeModels):
    """The language model takes until somebody says so, or fails."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.loads, self.broken = threading.Event(), False

    @property
    def reader(self) -> OverlapReader:  # type: ignore[override]
        if self.broken:
            raise WeightsError("it is no model", "set RAG_LLM to another")
        assert self.loads.wait(20), "nothing came before the language model"
        return OverlapReader()


def until_marked(events: Iterator[Event]) -> list[Event]:
    seen: list[Event] = []
    for event in events:
        seen.append(event)
        if isinstance(event, Marked):
            return seen
    raise AssertionError(f"nothing was marked in {seen}")


def test_the_words_that_answer_do_not_wait_for_the_language_model(engine: Engine) -> None:
    waiting = WaitingModels(engine.settings)
    events = Engine(engine.settings, waiting).stream(QUESTION)
    found, marked = until_marked(events)
    assert isinstance(found, Found)
    assert isinstance(marked, Marked)
    assert verifies(marked.citation, engine.document(marked.citation.document_id))
    waiting.loads.set()
    *_, last = events
    assert isinstance(last, Answer)
    assert (last.answered, last.marked) == (True, marked.citation)


def test_a_question_that_waits_for_the_language_model_ends_when_it_is_stopped(engine: Engine) -> None:
    waiting, stop = WaitingModels(engine.settings), Stop()
    events = Engine(engine.settings, waiting).stream(QUESTION)
    with stopping.by(stop):
        until_marked(events)
        threading.Timer(0.05, stop.set).start()
        with pytest.raises(Stopped):
            next(events)
    waiting.loads.set()


def test_a_language_model_that_cannot_be_loaded_is_reported_where_it_is_needed(engine: Engine) -> None:
    models = WaitingModels(engine.settings)
    models.broken = True
    broken = Engine(engine.settings, models)
    events = broken.stream(QUESTION)
    until_marked(events)
    with pytest.raises(WeightsError, match="set RAG_LLM"):
        next(events)
    assert not broken.ask("Siapa juara sepak bola Brasil?").answered


def test_our_own_judge_checks_support_too(engine: Engine) -> None:
    assert engine.models.judge is engine.models.small_judge is engine.models.support_check
    sentences = engine.ask(QUESTION).sentences
    assert sentences
    assert all(sentence.support for sentence in sentences)


def test_the_language_model_may_be_the_judge(engine: Engine) -> None:
    other = FakeEngine(replace(engine.settings, judge="llm"))
    assert isinstance(other.models.judge, LlmJudge)
    assert other.models.support_check is None
    answer = other.ask(QUESTION)
    assert (answer.answered, answer.receipt.judge, answer.marked) == (True, "llm", None)
    assert [sentence.support for sentence in answer.sentences] == [None] * len(answer.sentences)


def test_any_other_judge_is_a_cross_encoder_of_that_name(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    made = HubJudge(lambda pairs: [0.9] * len(pairs))

    def open_named(name: str) -> HubJudge:
        asked.append(name)
        return made

    monkeypatch.setattr(other_judges, "open_named", open_named)
    other = FakeEngine(replace(engine.settings, judge="nobody/nothing"))
    assert other.ask(QUESTION).receipt.judge == "nobody/nothing"
    assert (other.models.judge, other.models.support_check, asked) == (made, None, ["nobody/nothing"])


def test_an_engine_over_another_home_has_the_same_models(engine: Engine, tmp_path: Path) -> None:
    other = engine.at(tmp_path / "without-prompts")
    assert other.models is engine.models
    assert other.settings.home == tmp_path / "without-prompts"


def test_a_judged_search_is_in_the_order_of_the_judge(engine: Engine) -> None:
    for n in range(12):
        (engine.settings.seeds / f"{n}.txt").write_text(f"Gajah nomor {n} hidup di Lampung.", encoding="utf-8")
    engine.rebuild()
    before = engine.search("Gajah Lampung", 10)
    assert [passage.confidence for passage in before] == [None] * 10
    judge = ScriptedJudge({passage.text: 1e-6 for passage in before} | {before[7].text: 1 - 1e-6})
    engine.models.judge = judge
    after = engine.search("Gajah Lampung", 3, judged=True)
    assert len(after) == 3
    assert judge.judged == [passage.text for passage in before]
    assert after[0] == replace(before[7], confidence=1 - 1e-6)
    assert engine.search("Gajah Lampung", 3) == before[:3]


def test_warming_reads_every_chunk_once(engine: Engine) -> None:
    engine.models.reader = reader = OverlapReader()
    seen: list[tuple[str, int, int]] = []
    assert engine.warm(lambda *now: seen.append(now)) == Warmed(3, 0, 0)
    assert seen == [("warming", 1, 3), ("warming", 2, 3), ("warming", 3, 3)]
    assert reader.warmed == list(engine.snapshot().chunk_texts())
    assert engine.warm(lambda *_: None) == Warmed(0, 3, 0)


def test_an_answer_reports_how_many_of_its_passages_were_stored_and_read(engine: Engine) -> None:
    """The reader of this test asks the store for the passage it answers from, and finds one of two."""
    names = iter([key(b"stored"), key(b"unknown")])

    class AskingReader(OverlapReader):
        def answer(self, question: str, passages: Sequence[str], instruction: str) -> Generator[str, None, bool]:
            engine.models.store.get(next(names))
            return super().answer(question, passages, instruction)

    engine.models.reader = AskingReader()
    engine.models.store.write(key(b"stored"), b"state")
    receipts = [engine.ask(QUESTION).receipt for _ in range(2)]
    assert [(receipt.stored, receipt.read) for receipt in receipts] == [(1, 0), (0, 1)]


def test_a_follow_up_is_rewritten_reported_and_answered_after_two_searches(engine: Engine) -> None:
    events: list[Event] = []
    history = [Turn("Siapa Menteri Pertahanan Iran?", "Menteri Pertahanan Iran adalah Brigadir Jenderal Ashtiani.")]
    answer = whole(engine.stream("Apa katanya tentang Venezuela?", history=history), events.append)
    assert [type(event) for event in events[:4]] == [Found, Understood, Found, Marked]
    understood = events[1]
    assert isinstance(understood, Understood)
    assert "Ashtiani" in understood.question
    assert (answer.question, answer.understood_as) == ("Apa katanya tentang Venezuela?", understood.question)
    assert answer.answered
    assert "Venezuela" in answer.citations[0].text
    assert answer.receipt.seconds["understand"] >= 0


def test_a_question_that_stands_alone_is_asked_as_it_is_whatever_was_said_before(engine: Engine) -> None:
    events: list[Event] = []
    answer = whole(engine.stream(QUESTION, history=[Turn("Siapa presiden pertama Indonesia?", "Soekarno.")]), events.append)
    assert (answer.question, answer.understood_as) == (QUESTION, "")
    assert [type(event) for event in events[:2]] == [Found, Marked]
