import errno
import os
from collections.abc import Callable
from math import log
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import StorageError
from rag.indexing.embedded import snapshot
from rag.indexing.embedded.draft import Size, to_merge
from rag.indexing.embedded.embedded_index import EmbeddedIndex
from rag.indexing.embedded.snapshot import Snapshot
from rag.indexing.protocol import KEPT
from tests.indexing.making import chunks, digests, document, grow, texts, write

EXACT_MOST = 2000
FAN_OUT = 8


class History:
    """Segments as builds leave them, in sizes only."""

    def __init__(self) -> None:
        self.segments: list[Size] = []
        self.added = self.removed = self.rewritten = 0
        self.most_live = 1

    def build(self, new: int, losses: list[float]) -> None:
        """Lose a share of each segment, and add."""
        lost = [int(size.live * share) for size, share in zip(self.segments, [*losses, *[0.0] * 1000], strict=False)]
        self.segments = [Size(s.live - n, s.held, s.exact) for s, n in zip(self.segments, lost, strict=True)]
        chosen = to_merge(self.segments, new, EXACT_MOST)
        merged = sum(self.segments[i].live for i in chosen)
        self.segments = [size for i, size in enumerate(self.segments) if i not in chosen]
        if total := merged + new:
            self.segments.append(Size(total, total, exact=total <= EXACT_MOST))
        self.added, self.removed, self.rewritten = self.added + new, self.removed + sum(lost), self.rewritten + merged
        self.most_live = max(self.most_live, sum(size.live for size in self.segments))


steps = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 20), st.integers(0, 5000)),
        st.one_of(st.just([]), st.lists(st.floats(0, 1), max_size=20)),
    ),
    min_size=1,
    max_size=150,
)


@settings(max_examples=300, deadline=None)
@given(steps)
def test_segments_stay_few_and_no_chunk_is_rewritten_often(builds: list[tuple[int, list[float]]]) -> None:
    history = History()
    for new, losses in builds:
        history.build(new, losses)
        tiers = 2 + log(history.most_live, FAN_OUT)
        # Removals can push as many segments again down into a tier.
        assert len(history.segments) <= 2 * FAN_OUT * tiers
        assert history.rewritten <= (tiers + 1) * (history.added + history.removed)
        # What is left of an inverted file after removals may be searched exactly beside the others, until the next build.
        assert sum(s.live for s in history.segments if s.exact) <= 2 * EXACT_MOST
        assert all(2 * s.live >= s.held for s in history.segments)
        assert sum(s.live for s in history.segments) == history.added - history.removed


def test_ten_thousand_additions_of_one_chunk() -> None:
    history = History()
    for _ in range(10_000):
        history.build(1, [])
        assert len(history.segments) <= (FAN_OUT - 1) * (2 + log(history.most_live, FAN_OUT))
    assert history.rewritten <= 10_000 * (1 + log(10_000, FAN_OUT))


def test_a_few_segments_are_left_alone() -> None:
    assert to_merge([Size(100, 100, exact=True)] * 6, 100, EXACT_MOST) == set()
    assert to_merge([Size(100, 100, exact=True)] * 7, 100, EXACT_MOST) == set(range(7))


def test_a_large_segment_is_not_rewritten_for_a_small_one() -> None:
    large = Size(900, 1000, exact=True)
    assert to_merge([large, *[Size(1, 1, exact=True)] * 7], 1, EXACT_MOST) == set(range(1, 8))


def test_a_segment_of_which_most_was_removed_is_rewritten() -> None:
    assert to_merge([Size(49, 100, exact=False), Size(50, 100, exact=False)], 0, EXACT_MOST) == {0}


def test_exact_segments_become_one_inverted_file_when_they_are_large_together() -> None:
    sizes = [Size(1500, 1500, exact=True), Size(90_000, 90_000, exact=False), Size(400, 400, exact=True)]
    assert to_merge(sizes, 100, EXACT_MOST) == set()
    assert to_merge(sizes, 101, EXACT_MOST) == {0, 2}


A, B, C = document("a.txt", "satu dua tiga empat"), document("b.txt", "lima enam"), document("c.txt", "tujuh delapan")
OLD, NEW = {"a.txt": A.text, "b.txt": B.text}, {"a.txt": A.text, "c.txt": C.text}


def folder(root: Path, name: str) -> Path:
    return root / "snapshots" / name


def inodes(root: Path, name: str) -> dict[int, int]:
    """The size of each file of the snapshot by its inode."""
    return {s.st_ino: s.st_size for path in folder(root, name).rglob("*") if path.is_file() and (s := path.stat())}


class FailingDisk:
    """Lets `left` calls through that change the disk, and is full from then on."""

    CALLS = ("link", "mkdir", "fsync", "rename", "replace")

    def __init__(self, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
        self.left, self.failed = left, ""
        for name in self.CALLS:
            monkeypatch.setattr(os, name, self._guarded(name, getattr(os, name)))
        monkeypatch.setattr(Path, "write_text", self._guarded("write_text", Path.write_text))

    def _guarded(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any, **keywords: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                self.failed = name
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*arguments, **keywords)

        return guarded


def test_old_snapshots_that_cannot_be_removed_are_no_failure_of_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise StorageError("writing is not permitted", "get write permission")

    monkeypatch.setattr(EmbeddedIndex, "prune", refused)
    written = write(tmp_path, [A])
    assert snapshot.current_id(tmp_path) == written.id


@pytest.mark.slow("builds many snapshots")
def test_a_disk_that_is_full_at_any_point_leaves_the_old_snapshot_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed_at: set[str] = set()
    old = write(tmp_path, [A, B])
    before, base = digests(folder(tmp_path, old.id)), Snapshot.open(tmp_path)
    for left in range(1000):
        with monkeypatch.context() as patched:
            disk = FailingDisk(patched, left)
            try:
                write(tmp_path, [C], base=base, without=["b.txt"])
            except (OSError, StorageError):
                failed_at.add(disk.failed)
        assert digests(folder(tmp_path, old.id)) == before
        assert list(snapshot.verify(tmp_path)) == []
        if not disk.failed:
            break
        if texts(tmp_path) != OLD:
            assert texts(tmp_path) == NEW
            EmbeddedIndex(tmp_path).rollback(old.id)
        EmbeddedIndex(tmp_path).prune(1)
    assert texts(tmp_path) == NEW
    assert not EmbeddedIndex(tmp_path).interrupted()
    assert failed_at == {*FailingDisk.CALLS, "write_text"}


def test_what_stays_is_shared_and_what_is_written_grows_with_the_change(tmp_path: Path) -> None:
    many = [document(f"{n}.txt", f"dokumen nomor {n} " * 200) for n in range(60)]
    old = write(tmp_path, many)
    new = grow(tmp_path, document("new.txt", "satu yang baru"), without=["3.txt"])
    before, after = inodes(tmp_path, old.id), inodes(tmp_path, new.id)
    for segment_file in ("corpus.sqlite", "vectors.npy"):
        (path,) = folder(tmp_path, old.id).rglob(segment_file)
        assert (folder(tmp_path, new.id) / path.relative_to(folder(tmp_path, old.id))).samefile(path)
    written = sum(size for inode, size in after.items() if inode not in before)
    assert written < sum(before.values()) / 4


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP])
def test_without_hard_links_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(refusal, os.strerror(refusal))

    old = write(tmp_path, [A, B])
    before = digests(folder(tmp_path, old.id))
    monkeypatch.setattr(os, "link", refuse)
    new = grow(tmp_path, C, without=["b.txt"])
    assert not inodes(tmp_path, old.id).keys() & inodes(tmp_path, new.id).keys()
    assert texts(tmp_path) == NEW
    assert list(snapshot.verify(tmp_path)) == []
    assert digests(folder(tmp_path, old.id)) == before


def test_no_file_of_an_older_snapshot_is_ever_written_into(tmp_path: Path) -> None:
    names = [write(tmp_path, [A, B, document("d.txt", "empat puluh"), document("e.txt", "lima puluh")]).id]
    before = {names[0]: digests(folder(tmp_path, names[0]))}
    changes = [([C], ["b.txt"]), ([], ["d.txt"]), ([document("f.txt", "satu dua lagi")], []), ([], ["c.txt", "e.txt"])]
    for added, gone in changes:
        names.append(grow(tmp_path, *added, without=gone).id)
        before[names[-1]] = digests(folder(tmp_path, names[-1]))
        assert {name: digests(folder(tmp_path, name)) for name in before} == before
    assert len(before) == KEPT == 5
    assert list(snapshot.verify(tmp_path)) == []


@pytest.mark.slow("builds many snapshots")
def test_many_small_builds_end_as_one_that_was_made_at_once(tmp_path: Path) -> None:
    made = [document(f"{n}.txt", f"dokumen nomor {n} tentang kucing") for n in range(20)]
    write(tmp_path / "grown", made[:1])
    for each in made[1:]:
        grow(tmp_path / "grown", each)
    grow(tmp_path / "grown", without=["4.txt", "12.txt"])
    write(tmp_path / "whole", [d for d in made if d.path not in {"4.txt", "12.txt"}])
    assert chunks(tmp_path / "grown") == chunks(tmp_path / "whole")
    assert list(snapshot.verify(tmp_path / "grown")) == []
    opened = Snapshot.open(tmp_path / "grown")
    assert len(opened.segments) < 15
    assert len({number for s in opened.segments for number in s.numbers.tolist()}) == sum(
        len(s.numbers) for s in opened.segments
    )


def test_a_build_that_empties_every_segment_but_the_new_one(tmp_path: Path) -> None:
    write(tmp_path, [A, B])
    manifest = grow(tmp_path, C, without=["a.txt", "b.txt"])
    assert texts(tmp_path) == {"c.txt": C.text}
    assert len(manifest.segments) == 1


def test_what_a_killed_build_left_is_cleaned_by_the_next(tmp_path: Path) -> None:
    write(tmp_path, [A])
    (tmp_path / "snapshots" / ".building" / "segments" / "x").mkdir(parents=True)
    (tmp_path / "snapshots" / ".building" / "segments" / "x" / "corpus.sqlite").write_bytes(b"half")
    assert texts(tmp_path) == {"a.txt": A.text}
    grow(tmp_path, B)
    assert not EmbeddedIndex(tmp_path).interrupted()
