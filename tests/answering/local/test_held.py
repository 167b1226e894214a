"""Passages in the context of the small model, and their way through the store."""

from pathlib import Path

import numpy as np
import pytest

from rag.answering.local.llama import LlamaReader
from rag.answering.local.store import PassageStore
from rag.engine import Engine
from tests.answering.conftest import OTHER, PASSAGE, QUESTION, ROUNDING, logits_of, state_of

pytestmark = pytest.mark.real


def another(reader: LlamaReader, engine: Engine, store: PassageStore) -> LlamaReader:
    """The state that another process computes from the same weights, with another context size and other threads."""
    source = engine.models.llm_source
    return LlamaReader(source, engine.models.prompts, store=store, threads=1, context_tokens=1024, answer_tokens=16)


def test_a_held_passage_gives_the_numbers_of_a_fresh_one(reader: LlamaReader) -> None:
    first = reader.judge(QUESTION, PASSAGE)
    reader.judge(QUESTION, OTHER)
    "".join(reader.answer("Di mana Jakarta?", [PASSAGE], "Jawab."))
    assert reader.judge(QUESTION, PASSAGE) == pytest.approx(first, abs=ROUNDING)
    reader._held.forget()
    assert reader.judge(QUESTION, PASSAGE) == pytest.approx(first, abs=ROUNDING)


def test_the_logits_after_a_stored_state_are_those_after_reading_afresh(
    reader: LlamaReader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """To the bit where the cells lie alike, within rounding where they lie elsewhere."""
    monkeypatch.setattr(reader._held, "store", store := PassageStore(tmp_path, 10**9))
    reader._held.forget()
    fresh = logits_of(reader, PASSAGE)
    state = state_of(reader, PASSAGE)
    assert len(set(state)) > 200, "it holds no numbers"
    store.settle()
    reader._held.forget()
    stored = logits_of(reader, PASSAGE)
    assert (store.hits, store.misses) == (1, 1)
    assert state_of(reader, PASSAGE) == state
    assert np.abs(stored - fresh).max() < 1e-4
    reader._held.forget()
    reader.judge(QUESTION, OTHER)
    elsewhere = logits_of(reader, PASSAGE)
    assert store.hits == 2
    assert np.abs(elsewhere - fresh).max() < ROUNDING
    assert elsewhere.argmax() == fresh.argmax()


def test_a_passage_that_one_process_read_is_not_read_by_the_next(
    reader: LlamaReader, real_engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reader._held, "store", PassageStore(tmp_path, 10**9))
    reader._held.forget()
    before = reader.judge(QUESTION, PASSAGE)
    reader._held.store.settle()
    store = PassageStore(tmp_path, 10**9)
    other = another(reader, real_engine, store)
    assert other.is_stored(PASSAGE)
    assert not other.is_stored(OTHER)
    assert other.judge(QUESTION, PASSAGE) == pytest.approx(before, abs=ROUNDING)
    assert (store.hits, store.misses) == (1, 1), "only the prefix was not stored, which was read before there was this store"
    other.warm(OTHER)
    assert other.is_stored(OTHER)
    other.close()


@pytest.mark.parametrize("other", ["rubbish", "another passage", "nothing"])
def test_a_state_that_is_none_of_the_passage_is_not_used(
    reader: LlamaReader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, other: str
) -> None:
    """The checksum is right, and still it is not what it should be."""
    monkeypatch.setattr(reader._held, "store", store := PassageStore(tmp_path, 10**9))
    reader._held.forget()
    before, _ = reader.judge(QUESTION, PASSAGE), reader.judge(QUESTION, OTHER)
    states = {"rubbish": b"rubbish" * 99, "another passage": state_of(reader, OTHER), "nothing": b""}
    store.settle()
    tokens = reader._passage_tokens(PASSAGE, reader._answer_tokens)
    store.write(reader._held.key(tokens), states[other])
    reader._held.forget()
    assert reader.judge(QUESTION, PASSAGE) == pytest.approx(before, abs=ROUNDING)
    assert reader._held.used() == len(reader._held._prefix) + len(tokens)
    store.settle()
    reader._held.forget()
    assert reader.judge(QUESTION, PASSAGE) == pytest.approx(before, abs=ROUNDING)
    assert (store.hits, store.misses) == (1, 3), "what was read took the place of what was of no use"


def test_restored_passages_share_the_prefix_and_leave_when_the_context_needs_room(
    reader: LlamaReader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If a restored one took cells of its own for the prefix, or kept some, the context would be full before long."""
    monkeypatch.setattr(reader._held, "store", store := PassageStore(tmp_path, 10**9))
    passages = [f"{n}. {PASSAGE}" for n in range(3)]
    for passage in passages:
        reader.warm(passage)
    rounds = reader._held.room // len(reader._held._prefix) + 1
    for _ in range(rounds):
        reader._held.forget()
        for passage in passages:
            reader._hold(passage, 16)
    assert store.hits == 3 * rounds
    assert np.isfinite(reader.judge(QUESTION, passages[0]))


def test_the_key_changes_with_weights_build_context_prefix_and_passage(
    reader: LlamaReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_by, tokens = reader._held._made_by, [1, 2, 3]
    names = {reader._held.key(tokens), reader._held.key([1, 2, 4]), reader._held.key([1, 2])}
    for place in range(len(made_by)):
        monkeypatch.setattr(reader._held, "_made_by", (*made_by[:place], made_by[place] + b".", *made_by[place + 1 :]))
        names.add(reader._held.key(tokens))
    monkeypatch.setattr(reader._held, "_prefix", [1])
    names.add(reader._held.key(tokens))
    assert (len(made_by), len(names)) == (4, 8)


def test_the_prefix_is_read_once_too(reader: LlamaReader, real_engine: Engine, tmp_path: Path) -> None:
    """And gives the same numbers: what follows it is computed from them."""
    read, stored = (PassageStore(tmp_path, 10**9) for _ in range(2))
    first = another(reader, real_engine, read)
    read.settle()
    second = another(reader, real_engine, stored)
    assert (read.hits, read.misses, stored.hits, stored.misses) == (0, 1, 1, 0)
    assert np.array_equal(logits_of(first, PASSAGE), logits_of(second, PASSAGE))
    first.close()
    second.close()


def test_more_passages_than_the_context_holds_push_the_oldest_out(narrow_reader: LlamaReader) -> None:
    held = narrow_reader._held
    passages = [f"{n}. {PASSAGE} {OTHER} " for n in range(16)]
    verdicts = [narrow_reader.judge(QUESTION, passage) for passage in passages]
    read = sum(len(narrow_reader._passage_tokens(passage, 16)) for passage in passages)
    assert len(held._prefix) + read > held.room, "all of them fit"
    assert held.used() <= held.room
    assert narrow_reader.judge(QUESTION, passages[0]) == pytest.approx(verdicts[0], abs=ROUNDING)
