import errno
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.indexing.embedded import segment
from rag.indexing.embedded.segment import Entry, Segment
from rag.indexing.protocol import Piece
from rag.types import Condition
from tests.indexing.making import document, entries, entry

NEWS = [
    document("berita/a.txt", "satu dua tiga", "id", "2026-01-05"),
    document("berita/[b]*?.txt", "empat lima", "id", "2025-12-31"),
    document("berita_lain/c.txt", "enam tujuh", "en", "2026-02-01"),
    document("d.txt", "delapan", "en", "2024-06-01"),
]


def opened(folder: Path, written: list[Entry], removed: tuple[int, ...] = ()) -> Segment:
    segment.write(folder / "s", written)
    if removed:
        segment.write_removed(folder / "s", removed)
    return Segment.open(folder / "s")


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=6))
def test_any_texts_come_back_unchanged(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    written = entries(document(f"{n}.txt", text) for n, text in enumerate(texts))
    found = opened(tmp_path_factory.mktemp("segment"), written)
    for before, listed in zip(written, found.listed, strict=True):
        after = found.entry(listed)
        assert (after.number, after.first, after.document, list(after.pieces)) == (
            before.number,
            before.first,
            before.document,
            list(before.pieces),
        )
        assert np.array_equal(after.vectors, before.vectors)
    found.close()


def test_numbers_may_have_gaps_between_documents(tmp_path: Path) -> None:
    written = [entry(3, 10, NEWS[0]), entry(7, 40, NEWS[1]), entry(8, 42, NEWS[3])]
    found = opened(tmp_path, written)
    numbers = np.array([9, 10, 11, 12, 40, 41, 42, 43, 44])
    assert found.rows(numbers).tolist() == [-1, 0, 1, -1, 2, 3, 4, 5, -1]
    assert found.numbers.tolist() == [10, 11, 40, 41, 42, 43]
    assert found.documents_of(np.arange(6)).tolist() == [3, 3, 7, 7, 8, 8]


def test_a_chunk_is_found_by_its_number(tmp_path: Path) -> None:
    written = [entry(3, 10, NEWS[0]), entry(7, 40, NEWS[1])]
    found = opened(tmp_path, written)
    assert [found.piece(number) for number in (10, 11, 40, 41)] == [piece for e in written for piece in e.pieces]


def test_a_document_is_found_by_each_of_its_names(tmp_path: Path) -> None:
    found = opened(tmp_path, entries(NEWS))
    for column, value in (("number", 2), ("id", NEWS[2].id), ("path", NEWS[2].path), ("sha256", NEWS[2].sha256)):
        listed = found.find(column, value)
        assert listed is not None
        assert found.with_text(listed) == NEWS[2]
    assert found.find("path", "nowhere") is None


def test_what_was_removed_is_nowhere(tmp_path: Path) -> None:
    found = opened(tmp_path, entries(NEWS), removed=(1, 2))
    assert [listed.path for listed in found.listed] == ["berita/a.txt", "d.txt"]
    assert found.find("path", NEWS[1].path) is None
    assert found.matching([Condition("language", "=", ("id",))]) == [0]
    allowed = found.allowed(None)
    assert allowed is not None
    assert set(found.documents_of(np.flatnonzero(allowed)).tolist()) == {0, 3}
    assert found.live == 4
    within = found.allowed(np.array([2, 3]))
    assert within is not None
    assert set(found.documents_of(np.flatnonzero(within)).tolist()) == {3}


def test_where_nothing_was_removed_everything_may_be_found(tmp_path: Path) -> None:
    assert opened(tmp_path, entries(NEWS)).allowed(None) is None


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        (Condition("document", "=", ("berita/a.txt",)), [0]),
        (Condition("document", "=", ("id-d.txt",)), [3]),
        (Condition("document", "=", ("berita/*",)), [0, 1]),
        (Condition("document", "=", ("berita/[b]*?.txt",)), [1]),
        (Condition("document", "=", ("berita/?.txt",)), []),
        (Condition("document", "=", ("BERITA/A.TXT",)), []),
        (Condition("folder", "=", ("berita",)), [0, 1]),
        (Condition("folder", "=", ("/berita/",)), [0, 1]),
        (Condition("folder", "=", ("berita%",)), []),
        (Condition("folder", "=", ("beri",)), []),
        (Condition("folder", "=", ("berita",), negated=True), [2, 3]),
        (Condition("language", "=", ("id", "en")), [0, 1, 2, 3]),
        (Condition("language", "=", ("id", "fr"), negated=True), [2, 3]),
        (Condition("date", "=", ("2026",)), [0, 2]),
        (Condition("date", ">", ("2026-01",)), [2]),
        (Condition("date", ">=", ("2026-01",)), [0, 2]),
        (Condition("date", "<=", ("2025-12",)), [1, 3]),
        (Condition("date", "<", ("2025-12-31",)), [3]),
        (Condition("date", "=", ("2024", "2025-12"), negated=True), [0, 2]),
        (Condition("folder", "=", ("x' or 1=1 --",)), []),
    ],
)
def test_conditions_choose_documents(tmp_path: Path, condition: Condition, numbers: list[int]) -> None:
    assert opened(tmp_path, entries(NEWS)).matching([condition]) == numbers


def test_all_conditions_must_be_met(tmp_path: Path) -> None:
    both = [Condition("folder", "=", ("berita",)), Condition("date", ">=", ("2026",))]
    assert opened(tmp_path, entries(NEWS)).matching(both) == [0]


def test_vectors_are_found_by_the_digest_of_their_text(tmp_path: Path) -> None:
    written = entries(NEWS)
    found = opened(tmp_path, written, removed=(0,))
    wanted = {piece.digest: vector for e in written for piece, vector in zip(e.pieces, e.vectors, strict=True)}
    given_back = found.vectors_of([*wanted, bytes(16)])
    assert given_back.keys() == wanted.keys()
    assert all(np.array_equal(given_back[digest], wanted[digest]) for digest in wanted)


def test_many_threads_may_read_one_segment(tmp_path: Path) -> None:
    found = opened(tmp_path, entries(document(f"{n}.txt", f"nomor {n} " * 20) for n in range(40)))
    for listed in found.listed:
        assert listed.path == f"{listed.number}.txt"

    def look(n: int) -> bool:
        listed = found.find("path", f"{n % 40}.txt")
        assert listed is not None
        return found.with_text(listed).text.startswith(f"nomor {n % 40} ") and len(found.pieces(listed)) == 2

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(look, range(800)))


def test_a_file_of_removed_numbers_is_replaced_and_never_written_into(tmp_path: Path) -> None:
    first = tmp_path / segment.REMOVED
    segment.write_removed(tmp_path, [1])
    (tmp_path / "older").hardlink_to(first)
    segment.write_removed(tmp_path, [1, 2])
    assert (tmp_path / "older").read_text() == "[1]"
    assert first.read_text() == "[1, 2]"


def test_the_check_finds_what_no_digest_can(tmp_path: Path) -> None:
    whole = entries(NEWS)
    assert list(opened(tmp_path / "whole", whole).check()) == []
    long = Entry(0, 0, document("x.txt", "ab"), [Piece(0, 3, bytes(16))], whole[0].vectors[:1] * 2)
    findings = list(opened(tmp_path / "ill", [long]).check())
    assert len(findings) == 2
    assert any("x.txt lies outside its text" in line for line in findings)
    assert any("not of length 1" in line for line in findings)


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("database or disk is full", errno.ENOSPC),
        ("attempt to write a readonly database", errno.EROFS),
        ("disk I/O error", errno.EIO),
    ],
)
def test_sqlites_words_for_the_disk_become_the_disks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError(words)

    monkeypatch.setattr(segment, "_insert", refuse)
    with pytest.raises(OSError, match=words) as caught:
        segment.write(tmp_path / "s", entries(NEWS))
    assert caught.value.errno == number
