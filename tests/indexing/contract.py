"""The contract of every index: the tests of `rag/indexing/protocol.py`, for any implementation.

A test class that derives from `Contract` runs them, with a fixture `make` that gives a new, empty index at each call.
"""

import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rag import text as text_
from rag.errors import IndexMissing, SnapshotError
from rag.indexing import build
from rag.indexing.build import BuildReport
from rag.indexing.protocol import KEPT, Candidates, Column, Index, Manifest, Mode, NewDocument, State, Unread
from rag.retrieval import filters
from rag.retrieval.hybrid import HybridRetriever
from rag.types import Document
from tests.fakes import DIMENSION, BagEmbedder, MemoryIndex
from tests.indexing.making import CHUNKING, MAKER, document, halves, vectors_of

Make = Callable[[], Index]

RICE = document("berita/beras.txt", "Harga beras naik tajam di pasar Jakarta. Petani padi senang sekali.", "id", "2026-01-05")
ODD = document("berita/[b]*?.txt", "Gajah Sumatra hidup di Lampung. Hutan mereka makin sempit.", "id", "2025-12-31")
NEWS = document("berita_lain/news.txt", "The price of rice rises in Jakarta. Farmers plant more of it.", "en", "2026-02-01")
CAT = document("kucing.txt", "Kucing makan ikan di dapur. Anjing tidur di halaman.", "id", "2024-06-01")
ALL = (RICE, ODD, NEWS, CAT)
# Filters, and the documents that meet them.
FILTERS: dict[str, Collection[Document]] = {
    "document=berita/beras.txt": [RICE],
    f'document="{CAT.id}"': [CAT],
    "document=berita/*": [RICE, ODD],
    "document=*.txt": ALL,
    'document="berita/[b]*?.txt"': [ODD],
    "document=berita/?.txt": [],
    "document=BERITA/BERAS.TXT": [],
    "document!=berita/*,kucing.txt": [NEWS],
    "folder=berita": [RICE, ODD],
    "folder=/berita/": [RICE, ODD],
    "folder=beri": [],
    "folder=berita%": [],
    "folder!=berita": [NEWS, CAT],
    "language=en": [NEWS],
    "language=en,id": ALL,
    "language!=id,fr": [NEWS],
    "date=2026": [RICE, NEWS],
    "date>2026-01": [NEWS],
    "date>=2026-01-05": [RICE, NEWS],
    "date<=2025-12": [ODD, CAT],
    "date<2025-12-31": [CAT],
    "date!=2024,2025-12": [RICE, NEWS],
    "folder=berita and date>=2026": [RICE],
    "language=xx": [],
    'folder="x\' or 1=1 --"': [],
}
QUESTIONS = ("Harga beras di Jakarta", "kucing", "xyzzy", "?!")
MODES: tuple[Mode, ...] = ("hybrid", "dense", "lexical")
# More than any of these indexes has chunks.
EVERYTHING = 1000
# Seconds after which a thread that waits has failed.
PATIENCE = 60


def write(index: Index, *documents: Document, without: Iterable[str] = (), anew: bool = False) -> Manifest:
    """Write what serves, without some paths, and the new documents; with `anew`, these alone."""
    with index.writing():
        base = None if anew or index.serving() is None else index.open()
        gone = set(without)
        stays = {listed.number for listed in base.listed() if listed.path not in gone} if base else set()
        new = [NewDocument(each, halves(each.text)) for each in documents]
        manifest = index.write(base, MAKER, stays=stays, new=new, vectors=vectors_of(new))
        if base:
            base.close()
        return manifest


def rollback(index: Index, name: str) -> Manifest:
    with index.writing():
        return index.rollback(name)


def prune(index: Index, keep: int) -> list[str]:
    with index.writing():
        return index.prune(keep)


def texts(state: State) -> dict[str, str]:
    """The text of every document by path."""
    return {listed.path: state.with_text(listed).text for listed in state.listed()}


def places(state: State) -> dict[int, str]:
    """The text of every chunk by its number."""
    return {
        listed.first + i: state.with_text(listed).text[piece.start : piece.end]
        for listed in state.listed()
        for i, piece in enumerate(state.pieces(listed))
    }


def words(text: str, language: str = "id") -> set[str]:
    """The words of a text and their stems."""
    cut = text_.words(text_.normalise(text), language)
    return {*cut, *text_.stems(cut, language)}


def ask(
    state: State, question: str, where: str = "", mode: Mode = "hybrid", *, depth: int = EVERYTHING, language: str = "id"
) -> Candidates:
    query = BagEmbedder().embed_queries([question])[0]
    return state.candidates(question, language, query, depth=depth, where=filters.parse(where), mode=mode)


def found(state: State, question: str, where: str = "", mode: Mode = "hybrid") -> set[str]:
    """The paths of the documents found."""
    return {state.place(number).document.path for number in ask(state, question, where, mode).chunks.tolist()}


def seen(state: State) -> dict[str, Any]:
    """Everything that can be read of a state."""
    listed = sorted(state.listed(), key=lambda each: each.path)
    sampled, languages = state.sample(5)
    digests = sorted({piece.digest for each in listed for piece in state.pieces(each)})
    asked = {(question, mode): ask(state, question, mode=mode) for question in QUESTIONS for mode in MODES}
    vectors = state.vectors_of(digests)
    return {
        "manifest": state.manifest,
        "listed": listed,
        "texts": [state.with_text(each) for each in listed],
        "pieces": [state.pieces(each) for each in listed],
        "chunks": list(state.chunk_texts()),
        "languages": state.languages(),
        "sample": (sampled.tolist(), languages),
        "vectors": [vectors[digest].tolist() for digest in digests],
        "candidates": {
            key: (c.chunks.tolist(), c.dense.tolist(), c.lexical.tolist(), c.languages, c.information)
            for key, c in asked.items()
        },
    }


WORDS = ["kuda", "lima", "roti", "sapi", "tiga", "ubi"]
sentences = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
paths = st.sampled_from(["a.txt", "b.txt", "folder/a.txt", "folder/deep/d.txt", "[e]*.txt"])
# Documents put, paths removed, and whether the state before serves again at first.
steps = st.lists(
    st.tuples(st.dictionaries(paths, sentences, max_size=3), st.sets(paths, max_size=2), st.booleans()), min_size=1, max_size=6
)
some_texts = st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=4)
few = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class Contract:
    """The tests. Each names what it asserts of the protocol."""

    @pytest.fixture
    def index(self, make: Make) -> Index:
        return make()

    @pytest.fixture
    def state(self, index: Index) -> Iterator[State]:
        """Four documents, written in two steps, and one that was removed again."""
        write(index, RICE, ODD, document("berita/lama.txt", "Harga beras turun di Jakarta. Petani padi kecewa.", "id"))
        write(index, NEWS, CAT, without=["berita/lama.txt"])
        opened = index.open()
        yield opened
        opened.close()

    # An index of which nothing was written.

    def test_an_empty_index_has_nothing_and_says_so(self, index: Index) -> None:
        assert index.serving() is None
        assert (list(index.stored()), index.unread(), index.interrupted()) == ([], [], False)
        for look in (index.manifest, index.open, index.described, lambda: list(index.verify()), lambda: index.open("nobody")):
            with pytest.raises(IndexMissing):
                look()
        with pytest.raises(IndexMissing):
            rollback(index, "nobody")
        assert prune(index, 1) == []
        assert index.serving() is None

    # What is written can be read.

    def test_a_state_is_described_by_its_manifest(self, index: Index, state: State) -> None:
        manifest = index.manifest()
        assert state.manifest == manifest
        assert (manifest.id, manifest.maker) == (index.serving(), MAKER)
        assert (manifest.documents, manifest.chunks) == (4, 8)
        assert re.fullmatch(r"[0-9A-Za-z-]{1,100}", manifest.id)
        assert index.described()
        assert list(index.verify()) == []
        assert not index.interrupted()

    def test_every_document_comes_back_unchanged(self, state: State) -> None:
        assert {listed.path for listed in state.listed()} == {each.path for each in ALL}
        for original in ALL:
            listed = state.find("path", original.path)
            assert listed is not None
            assert state.with_text(listed) == state.document(original.id) == original
            assert state.characters(listed) == len(original.text)
            assert state.pieces(listed) == halves(original.text)
            assert (listed.id, listed.sha256, listed.language, listed.date) == (
                original.id,
                original.sha256,
                original.language,
                original.date,
            )

    def test_a_document_is_found_by_each_of_its_columns(self, state: State) -> None:
        listed = state.find("path", NEWS.path)
        assert listed is not None
        columns: tuple[Column, ...] = ("number", "id", "path", "sha256")
        for column in columns:
            assert state.find(column, getattr(listed, column)) == listed
        assert state.find("path", "nowhere") is None
        assert state.find("number", 10**9) is None
        assert state.document("nobody") is None

    def test_the_chunks_of_a_document_are_numbered_consecutively_and_have_a_place(self, state: State) -> None:
        numbers: list[int] = []
        for listed in state.listed():
            for i, piece in enumerate(state.pieces(listed)):
                place = state.place(listed.first + i)
                assert (place.document, place.start, place.end) == (listed, piece.start, piece.end)
                numbers.append(listed.first + i)
            assert listed.count == len(state.pieces(listed))
        assert len(numbers) == len(set(numbers)) == state.manifest.chunks

    def test_chunk_texts_come_from_the_document_added_last_and_in_its_order(self, index: Index) -> None:
        write(index, RICE)
        write(index, CAT)
        wanted = [each.text[piece.start : piece.end] for each in (CAT, RICE) for piece in halves(each.text)]
        assert list(index.open().chunk_texts()) == wanted

    def test_languages_are_counted_in_chunks(self, index: Index) -> None:
        write(index, RICE, NEWS)
        assert index.open().languages() == {"id": 2, "en": 2}
        write(index, CAT, without=[RICE.path])
        counted = index.open().languages()
        assert (counted["en"], counted["id"]) in {(2, 2), (2, 4)}  # with those of the removed document, or without

    def test_a_sample_is_of_about_so_many_chunks_and_always_the_same(self, index: Index) -> None:
        made = [document(f"{n}.txt", f"nomor {n} dan lain lain", "id" if n % 2 else "en") for n in range(40)]
        write(index, *made)
        state = index.open()
        known = {vector.tobytes() for vector in vectors_of([NewDocument(each, halves(each.text)) for each in made]).values()}
        for wanted in (1, 20, 80, 500):
            vectors, languages = state.sample(wanted)
            assert vectors.shape == (len(languages), DIMENSION)
            assert min(wanted, 80) / 2 <= len(languages) <= min(2 * wanted, 80)
            assert {np.asarray(vector, np.float32).tobytes() for vector in vectors} <= known
            assert np.array_equal(index.open().sample(wanted)[0], vectors)
        assert set(state.sample(80)[1]) == {"id", "en"}

    def test_vectors_are_found_by_the_digest_of_their_text(self, state: State) -> None:
        wanted = vectors_of([NewDocument(each, halves(each.text)) for each in ALL])
        given_back = state.vectors_of([*wanted, bytes(16)])
        assert given_back.keys() == wanted.keys()
        assert all(np.allclose(given_back[digest], wanted[digest], atol=1e-6) for digest in wanted)
        assert state.vectors_of([]) == {}

    def test_equal_chunks_are_chunks_of_their_own(self, index: Index) -> None:
        twice = document("twice.txt", "sapi sapi ")
        assert len({piece.digest for piece in halves(twice.text)}) == 1
        write(index, twice, document("copy.txt", "sapi sapi "))
        state = index.open()
        assert state.manifest.chunks == 4
        assert len(ask(state, "sapi").chunks) == 4
        assert list(index.verify()) == []

    # Candidates: both scores, filters, modes and depth.

    def test_candidates_are_scored_by_both_sides(self, state: State) -> None:
        question = "Harga beras di Jakarta"
        query, chunks = BagEmbedder().embed_queries([question])[0], places(state)
        for mode in MODES:
            got = ask(state, question, mode=mode)
            numbers = got.chunks.tolist()
            assert numbers == sorted(numbers)
            assert [str(each.dtype) for each in (got.chunks, got.dense, got.lexical)] == ["int64", "float32", "float32"]
            assert got.chunks.shape == got.dense.shape == got.lexical.shape == (len(got.languages),)
            assert got.languages == [state.place(number).document.language for number in numbers]
            cosines = BagEmbedder().embed_passages([chunks[number] for number in numbers]) @ query
            assert got.dense == pytest.approx(cosines, abs=1e-5)
            having = {number for number, text in chunks.items() if words(question) & words(text)}
            assert {n for n, score in zip(numbers, got.lexical, strict=True) if score > 0} == having
            assert set(numbers) == (having if mode == "lexical" else set(chunks))

    def test_a_side_proposes_no_more_than_the_depth(self, state: State) -> None:
        everything = ask(state, "Harga beras di Jakarta")
        by_dense = everything.chunks[np.argsort(-everything.dense, kind="stable")].tolist()
        by_words = everything.chunks[np.argsort(-everything.lexical, kind="stable")].tolist()
        assert ask(state, "Harga beras di Jakarta", mode="dense", depth=2).chunks.tolist() == sorted(by_dense[:2])
        assert ask(state, "Harga beras di Jakarta", mode="lexical", depth=1).chunks.tolist() == by_words[:1]
        both = ask(state, "Harga beras di Jakarta", depth=1).chunks.tolist()
        assert both == sorted({by_dense[0], by_words[0]})

    @pytest.mark.parametrize("question", ["xyzzy", "?!", "", "\ud800 \0"])
    def test_a_question_without_a_known_word_is_searched_by_meaning_alone(self, state: State, question: str) -> None:
        query = np.full(DIMENSION, DIMENSION**-0.5, dtype=np.float32)
        by_words = state.candidates(question, "id", query, depth=EVERYTHING, mode="lexical")
        assert (by_words.chunks.shape, by_words.dense.shape, by_words.languages) == ((0,), (0,), [])
        both = state.candidates(question, "id", query, depth=EVERYTHING)
        assert (len(both.chunks), set(both.lexical.tolist())) == (8, {0.0})
        assert (both.information > 0) == (question == "xyzzy")

    def test_words_are_compared_by_their_stems_and_across_languages(self, index: Index) -> None:
        write(
            index,
            document("a.txt", "Dibelinya kapal selam. Lalu ia pergi lagi."),
            document("b.txt", "Presiden pergi ke Paris."),
        )
        write(index, document("c.txt", "The minister flew to Paris. It rained all day there.", "en"))
        state = index.open()
        assert found(state, "pembelian", mode="lexical") == {"a.txt"}
        assert found(state, "KAPAL", mode="lexical") == {"a.txt"}
        assert found(state, "Paris", mode="lexical") == {"b.txt", "c.txt"}

    def test_a_rarer_word_and_a_shorter_chunk_score_higher(self, index: Index) -> None:
        write(
            index,
            document("often.txt", "kuda kuda", "und"),
            document("short.txt", "sapi roti", "und"),
            document("long.txt", "kuda lima lima lima ubi ubi", "und"),
        )
        state = index.open()
        got = ask(state, "kuda sapi ubi", language="und")
        scores = {places(state)[n].strip(): s for n, s in zip(got.chunks.tolist(), got.lexical, strict=True)}
        assert scores["sapi"] > scores["kuda"] > scores["kuda lima lim"] > 0

    def test_information_is_the_score_of_an_average_chunk_with_every_word(self, index: Index) -> None:
        write(
            index, *(document(f"{n}.txt", text, "und") for n, text in enumerate(["xu yo za ve", "wa wi wo we", "xu la li lu"]))
        )
        state = index.open()
        got = ask(state, "za ve", language="und")
        assert isclose(float(got.lexical.max()), got.information, rel_tol=1e-4)
        assert ask(state, "xu", language="und").information < ask(state, "unheard", language="und").information

    def test_filters_hold_on_every_side(self, state: State) -> None:
        question = "Harga beras rice Jakarta gajah kucing anjing hutan petani farmers"
        for where, allowed in FILTERS.items():
            for mode in MODES:
                assert found(state, question, where, mode) == {each.path for each in allowed}, (where, mode)

    # What stays, what goes, and numbers.

    def test_what_was_removed_is_nowhere(self, index: Index) -> None:
        write(index, *ALL)
        before = index.open()
        listed = before.find("path", RICE.path)
        assert listed is not None
        write(index, without=[RICE.path, CAT.path])
        state = index.open()
        assert texts(state) == {each.path: each.text for each in (ODD, NEWS)}
        assert (state.manifest.documents, state.manifest.chunks) == (2, 4)
        columns: tuple[Column, ...] = ("id", "path", "sha256")
        assert [state.find(column, getattr(listed, column)) for column in columns] == [None, None, None]
        assert state.document(RICE.id) is None
        assert len(list(state.chunk_texts())) == 4
        for mode in MODES:
            assert found(state, RICE.text, mode=mode) <= {ODD.path, NEWS.path}
            assert found(state, RICE.text, "folder=berita", mode) <= {ODD.path}
        assert list(index.verify()) == []

    def test_a_changed_document_is_the_new_one_alone(self, index: Index) -> None:
        write(index, RICE, CAT)
        changed = document(CAT.path, "Susu diminum kucing. Anjing pergi.")
        write(index, changed, without=[CAT.path])
        state = index.open()
        assert state.document(CAT.id) == changed
        assert len(list(state.listed())) == 2
        assert found(state, "dapur halaman", mode="lexical") == set()
        assert found(state, "susu", mode="lexical") == {CAT.path}

    def test_a_state_may_have_nothing_of_the_one_before(self, index: Index) -> None:
        write(index, RICE, CAT)
        write(index, NEWS, without=[RICE.path, CAT.path])
        assert texts(index.open()) == {NEWS.path: NEWS.text}
        write(index, ODD, anew=True)
        assert texts(index.open()) == {ODD.path: ODD.text}
        assert list(index.verify()) == []

    def test_no_number_is_used_for_two_things_in_a_line_of_states(self, index: Index) -> None:
        documents: dict[int, Document] = {}
        chunks: dict[int, tuple[str, str]] = {}
        changes: list[tuple[list[Document], list[str]]] = [
            ([RICE, ODD], []),
            ([NEWS], [ODD.path]),
            ([CAT], [NEWS.path]),
            ([ODD], []),
            ([], [RICE.path]),
            ([NEWS, RICE], [CAT.path]),
        ]
        for added, gone in changes:
            write(index, *added, without=gone)
            state = index.open()
            for listed in state.listed():
                original = state.with_text(listed)
                assert documents.setdefault(listed.number, original) == original
            for number, text in places(state).items():
                name = (state.place(number).document.path, text)
                assert chunks.setdefault(number, name) == name

    # States: pinned, stored, gone back to, removed.

    def test_a_pinned_state_is_not_changed_by_what_happens_later(self, index: Index) -> None:
        first = write(index, RICE, ODD)
        pinned = index.open()
        before = seen(pinned)
        write(index, NEWS, without=[ODD.path])
        assert seen(pinned) == before
        middle = index.open()
        of_middle = seen(middle)
        rollback(index, first.id)
        write(index, CAT, without=[RICE.path])
        assert (seen(pinned), seen(middle)) == (before, of_middle)
        assert set(prune(index, 1)) == {first.id, middle.manifest.id}
        assert (seen(pinned), seen(middle)) == (before, of_middle)
        assert texts(index.open()) == {ODD.path: ODD.text, CAT.path: CAT.text}
        pinned.close()
        middle.close()

    def test_every_stored_state_can_be_opened_by_its_id(self, index: Index) -> None:
        names = [write(index, each).id for each in ALL]
        assert [manifest.id for manifest in index.stored()] == names[::-1]
        assert [manifest.documents for manifest in index.stored()] == [4, 3, 2, 1]
        for count, name in enumerate(names, 1):
            state = index.open(name)
            assert state.manifest.id == name
            assert texts(state) == {each.path: each.text for each in ALL[:count]}
            state.close()
        assert index.serving() == names[-1]

    def test_closing_one_state_leaves_another_of_the_same_id_open(self, index: Index) -> None:
        write(index, RICE)
        one, other = index.open(), index.open()
        one.close()
        assert texts(other) == {RICE.path: RICE.text}
        assert texts(index.open()) == {RICE.path: RICE.text}

    def test_going_back_serves_the_older_state_and_keeps_the_newer(self, index: Index) -> None:
        names = [write(index, RICE).id, write(index, CAT).id, write(index, NEWS, without=[RICE.path]).id]
        assert rollback(index, names[0]).id == index.serving() == index.manifest().id == names[0]
        assert texts(index.open()) == {RICE.path: RICE.text}
        assert [manifest.id for manifest in index.stored()] == names[::-1]
        assert rollback(index, names[2]).id == names[2]
        assert texts(index.open()) == {CAT.path: CAT.text, NEWS.path: NEWS.text}
        rollback(index, names[1])
        new = write(index, ODD)
        assert texts(index.open()) == {each.path: each.text for each in (RICE, CAT, ODD)}
        assert [manifest.id for manifest in index.stored()] == [new.id, *names[::-1]]
        assert texts(index.open(names[2])) == {CAT.path: CAT.text, NEWS.path: NEWS.text}
        assert list(index.verify()) == []

    @pytest.mark.parametrize("name", ["", "nobody", "..", "../x", "a b", "a" * 5000])
    def test_an_unknown_state_is_missing_and_nothing_changes(self, index: Index, name: str) -> None:
        serving = write(index, RICE).id
        with pytest.raises(IndexMissing):
            index.open(name)
        with pytest.raises(SnapshotError):
            rollback(index, name)
        assert index.serving() == serving
        assert texts(index.open()) == {RICE.path: RICE.text}

    def test_a_few_states_are_kept(self, index: Index) -> None:
        names = [write(index, document(f"{n}.txt", f"nomor {n}")).id for n in range(KEPT + 2)]
        assert [manifest.id for manifest in index.stored()] == names[::-1][:KEPT]
        with pytest.raises(IndexMissing):
            index.open(names[0])

    @pytest.mark.parametrize("keep", [1, 2, 3, 9])
    @pytest.mark.parametrize("serving", [0, 1, 2])
    def test_pruning_keeps_what_serves_and_the_newest_others(self, index: Index, keep: int, serving: int) -> None:
        names = [write(index, each).id for each in ALL[:3]]
        rollback(index, names[serving])
        others = [name for name in reversed(names) if name != names[serving]]
        kept = {names[serving], *others[: keep - 1]}
        assert set(prune(index, keep)) == set(names) - kept
        assert [manifest.id for manifest in index.stored()] == [name for name in reversed(names) if name in kept]
        assert index.serving() == names[serving]
        assert len(texts(index.open())) == serving + 1
        assert prune(index, keep) == []
        assert list(index.verify()) == []

    # Writing.

    def test_a_write_that_is_interrupted_leaves_the_state_before(self, index: Index) -> None:
        class Interrupting(dict[bytes, NDArray[np.float32]]):
            def __getitem__(self, key: bytes) -> NDArray[np.float32]:
                raise KeyboardInterrupt

        serving = write(index, RICE).id
        before = seen(index.open())
        new = [NewDocument(CAT, halves(CAT.text))]
        with pytest.raises(KeyboardInterrupt), index.writing():
            index.write(index.open(), MAKER, stays={0}, new=new, vectors=Interrupting(vectors_of(new)))
        assert (index.serving(), seen(index.open())) == (serving, before)
        assert [manifest.id for manifest in index.stored()] == [serving]
        with index.writing():
            assert not index.interrupted()
        write(index, CAT)
        assert texts(index.open()) == {RICE.path: RICE.text, CAT.path: CAT.text}
        assert list(index.verify()) == []

    def test_one_writes_at_a_time_and_the_next_is_called_back_before_it_waits(self, index: Index) -> None:
        waits, held, entered, done = threading.Event(), threading.Event(), threading.Event(), threading.Event()

        def second() -> None:
            assert held.wait(PATIENCE)
            with index.writing(waits.set):
                entered.set()
            done.set()

        thread = threading.Thread(target=second)
        thread.start()
        with index.writing(lambda: pytest.fail("nobody else writes")):
            held.set()
            assert waits.wait(PATIENCE)
            assert not entered.is_set()
        assert done.wait(PATIENCE)
        thread.join()

    def test_a_writer_may_refuse_to_wait(self, index: Index) -> None:
        def refuse() -> None:
            raise TimeoutError

        def refused() -> bool:
            with pytest.raises(TimeoutError), index.writing(refuse):
                pytest.fail("two write at once")
            return True

        with index.writing(), ThreadPoolExecutor(1) as pool:
            assert pool.submit(refused).result(PATIENCE)
        write(index, RICE)

    def test_within_writing_there_is_a_folder_to_work_in(self, index: Index) -> None:
        with index.writing():
            (index.scratch / "contract.txt").write_text("kept")
        write(index, RICE)
        assert (index.scratch / "contract.txt").read_text() == "kept"

    def test_what_could_not_be_read_is_noted_and_replaced(self, index: Index) -> None:
        noted = [
            Unread("a.pdf", "SeedDamaged", "a.pdf: it is damaged; x"),
            Unread("b\udcff", "E", "é"),
            Unread("d", "E", "", True),
        ]
        for wanted in (noted, noted[:1], []):
            with index.writing():
                index.note_unread(wanted)
            assert index.unread() == wanted
        with index.writing():
            index.note_unread(noted)
        write(index, RICE)
        assert index.unread() == noted

    # Threads.

    def test_threads_read_whole_states_while_others_are_written(self, index: Index) -> None:
        write(index, RICE)
        ended = threading.Event()

        def read() -> int:
            looks = 0
            while not ended.is_set() or not looks:
                state = index.open()
                assert len(texts(state)) == state.manifest.documents
                got = ask(state, "Harga beras nomor")
                assert {state.place(number).document.path for number in got.chunks.tolist()} == set(texts(state))
                looks += 1
            return looks

        with ThreadPoolExecutor(3) as pool:
            readers = [pool.submit(read) for _ in range(3)]
            try:
                for n in range(KEPT + 2):
                    write(index, document(f"{n}.txt", f"nomor {n}"), without=[f"{n - 2}.txt"])
            finally:
                ended.set()
            assert all(reader.result(PATIENCE) for reader in readers)

    def test_threads_may_share_one_state(self, index: Index) -> None:
        write(index, *(document(f"{n}.txt", f"nomor {n} " * 5) for n in range(20)))
        state = index.open()

        def look(n: int) -> bool:
            listed = state.find("path", f"{n % 20}.txt")
            assert listed is not None
            assert state.with_text(listed).text.startswith(f"nomor {n % 20} ")
            return f"{n % 20}.txt" in found(state, f"nomor {n % 20}")

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(look, range(80)))

    # Properties.

    @few
    @given(written=some_texts, question=st.text(max_size=30))
    def test_any_text_comes_back_and_can_be_searched_with_any_question(
        self, make: Make, written: list[str], question: str
    ) -> None:
        index = make()
        write(index, *(document(f"{n}.txt", text) for n, text in enumerate(written)))
        state = index.open()
        assert texts(state) == {f"{n}.txt": text for n, text in enumerate(written)}
        chunks = places(state)
        assert sorted(state.chunk_texts()) == sorted(chunks.values())
        got = ask(state, question)
        assert set(got.chunks.tolist()) == set(chunks)
        assert np.isfinite(got.dense).all()
        assert (got.lexical >= 0).all()
        assert list(index.verify()) == []
        state.close()

    @few
    @given(history=steps)
    def test_after_any_history_it_says_what_the_one_in_memory_says(self, make: Make, history: list[Any]) -> None:
        index = make()
        folder = Path(tempfile.mkdtemp())
        plain = MemoryIndex(folder)
        wanted: dict[str, dict[str, str]] = {}
        for put, gone, back in history:
            if back and len(index.stored()) > 1:
                rollback(index, index.stored()[1].id)
                rollback(plain, plain.stored()[1].id)
            before = wanted.get(index.serving() or "", {})
            after = {path: text for path, text in before.items() if path not in gone} | put
            if not after:
                continue
            out = [path for path in before if path in gone or path in put]
            for each in (index, plain):
                write(each, *(document(path, text) for path, text in put.items()), without=out)
            wanted[index.serving() or ""] = after
            one, other = index.open(), plain.open()
            assert texts(one) == texts(other) == after
            for question in ("kuda lima", "roti", "sapi tiga ubi"):
                for mode in MODES:
                    assert_alike(one, other, question, mode)
            one.close()
        assert not history or index.serving() is None or list(index.verify()) == []
        shutil.rmtree(folder)

    # What is built on it.

    def test_a_retriever_searches_any_state(self, state: State) -> None:
        retriever = HybridRetriever(BagEmbedder(), state)
        (best,) = retriever.search("Harga beras di Jakarta", "id", 1)
        assert (best.path, best.document_id) == (RICE.path, RICE.id)
        assert best.text == RICE.text[best.start : best.end]
        english = retriever.search("rice in Jakarta", "en", 5, filters.parse("language=en"))
        assert {passage.path for passage in english} == {NEWS.path}

    def test_a_build_brings_any_index_in_line_at_the_cost_of_the_change(self, index: Index, tmp_path: Path) -> None:
        seeds, embedder = tmp_path / "seeds", BagEmbedder()

        def rebuilt(documents: Mapping[str, str]) -> BuildReport:
            shutil.rmtree(seeds, ignore_errors=True)
            for path, text in documents.items():
                (seeds / path).parent.mkdir(parents=True, exist_ok=True)
                (seeds / path).write_text(text, encoding="utf-8")
            embedder.embedded.clear()
            return build.rebuild(seeds=seeds, index=index, maker=MAKER, chunking=CHUNKING, open_embedder=lambda: embedder)

        first = {"a.txt": "Kucing makan ikan di dapur.", "b/b.txt": "Anjing tidur di halaman rumah.", "empty.txt": ""}
        report = rebuilt(first)
        assert (report.added, report.embedded, report.snapshot) == (("a.txt", "b/b.txt"), 2, index.serving())
        assert [each.path for each in index.unread()] == ["empty.txt"]
        assert rebuilt(first).did_nothing
        second = rebuilt({"moved.txt": first["a.txt"], "b/b.txt": first["b/b.txt"], "c.txt": "Harga beras naik tajam."})
        assert (second.added, second.removed, second.embedded) == (("c.txt", "moved.txt"), ("a.txt",), 1)
        assert embedder.embedded == ["Harga beras naik tajam."]
        assert index.unread() == []
        assert set(texts(index.open())) == {"b/b.txt", "c.txt", "moved.txt"}
        rollback(index, report.snapshot)
        assert set(texts(index.open())) == {"a.txt", "b/b.txt"}
        third = rebuilt({"c.txt": "Harga beras naik tajam."})
        assert (third.added, third.removed) == (("c.txt",), ("a.txt", "b/b.txt"))
        assert list(index.verify()) == []


def assert_alike(one: State, other: State, question: str, mode: Mode) -> None:
    """The same chunks, by their texts and places, with the same cosines, and with words where the other has words."""
    views: list[dict[tuple[str, int], tuple[float, bool]]] = []
    for state in (one, other):
        got = ask(state, question, mode=mode)
        where = [state.place(number) for number in got.chunks.tolist()]
        views.append(
            {
                (place.document.path, place.start): (round(float(dense), 4), bool(lexical > 0))
                for place, dense, lexical in zip(where, got.dense, got.lexical, strict=True)
            }
        )
    assert views[0].keys() == views[1].keys()
    for key, (dense, has) in views[0].items():
        assert dense == pytest.approx(views[1][key][0], abs=2e-4)
        assert has == views[1][key][1]
