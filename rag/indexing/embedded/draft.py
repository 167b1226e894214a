"""Writes a snapshot: links to what stays of the one before, and one segment of what is new or merged.

It is written in a folder that readers do not see, and becomes a snapshot by one rename. `to_merge`, which is pure, decides
which segments are merged.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.files import link_or_copy, sha256_file, sync
from rag.indexing.embedded import lexical, segment, snapshot
from rag.indexing.embedded.dense import EXACT_MOST
from rag.indexing.embedded.lexical import LexicalEntry
from rag.indexing.embedded.segment import Entry, Segment
from rag.indexing.embedded.snapshot import FORMAT, LEXICAL, MANIFEST, SEGMENTS, FileEntry, Snapshot, SnapshotManifest
from rag.indexing.protocol import Maker, NewDocument

_BUILDING = ".building"
# So many segments of a tier are merged into one of the next tier. A chunk is rewritten once per tier, and a search reads at
# most this many segments per tier.
_FAN_OUT = 8


@dataclass(frozen=True, slots=True)
class Size:
    """Chunks of a segment that were not removed, and all that it holds; whether its vectors are searched exactly."""

    live: int
    held: int
    exact: bool


def to_merge(sizes: Sequence[Size], new: int, exact_most: int) -> set[int]:
    """Indexes of the segments to merge with `new` chunks.

    Merged are segments of which more than half was removed; eight segments of one tier (sizes within a factor of eight); and
    all that are searched exactly, once they hold more than `exact_most` chunks together: an inverted file takes their place.
    """
    chosen = {i for i, size in enumerate(sizes) if size.live * 2 < size.held}
    exact = {i for i, size in enumerate(sizes) if size.exact}
    if new + sum(sizes[i].live for i in exact) > exact_most:
        # A segment over the limit by itself is merged only together with others.
        chosen |= exact
    while True:
        total = new + sum(sizes[i].live for i in chosen)
        near = {i for i, size in enumerate(sizes) if i not in chosen and _tier(size.live) <= _tier(total)}
        if len(near) < _FAN_OUT - 1:
            return chosen
        chosen |= near


def _tier(chunks: int) -> int:
    tier = 0
    while chunks >= _FAN_OUT:
        chunks, tier = chunks // _FAN_OUT, tier + 1
    return tier


def write(
    root: Path,
    base: Snapshot | None,
    maker: Maker,
    *,
    stays: Collection[int],
    new: Sequence[NewDocument],
    vectors: Mapping[bytes, NDArray[np.float32]],
) -> SnapshotManifest:
    """Write a snapshot of the documents of `base` whose numbers are in `stays`, and of the `new` ones.

    `vectors` has the unit vector of each new chunk by its digest. The caller holds the index's lock. Raises OSError.
    """
    writing = Draft(root, base)
    parts = [_Part(held, stays) for held in base.segments] if base else []
    chunks = sum(len(each.pieces) for each in new)
    merged = to_merge([part.size for part in parts], chunks, EXACT_MOST)
    for part in (part for i, part in enumerate(parts) if i not in merged):
        writing.keep(part.segment, part.segment.removed.union(part.goes))
    added = _numbered(new, vectors, base)
    rewritten = [(listed, parts[i].segment) for i in merged for listed in parts[i].stays]
    if rewritten or added:
        rewritten.sort(key=lambda pair: pair[0].number)
        # An iterator: the texts of a merge need not fit into memory together.
        writing.add(chain((held.entry(listed) for listed, held in rewritten), added))
    lexical.update(writing.lexical(), removed=[number for part in parts for number in part.goes], added=_words(added))
    next_document = base.manifest.next_document if base else 0
    next_chunk = base.manifest.next_chunk if base else 0
    return writing.seal(
        maker,
        documents=len(stays) + len(new),
        chunks=sum(part.size.live for part in parts) + chunks,
        next_document=next_document + len(new),
        next_chunk=next_chunk + chunks,
    )


class _Part:
    """A segment of the base: the documents that stay, and the numbers of those that go."""

    def __init__(self, held: Segment, stays: Collection[int]) -> None:
        self.segment = held
        self.stays = [listed for listed in held.listed if listed.number in stays]
        self.goes = [listed.number for listed in held.listed if listed.number not in stays]
        self.size = Size(sum(listed.count for listed in self.stays), len(held.numbers), held.dense.exact)


def _numbered(new: Sequence[NewDocument], vectors: Mapping[bytes, NDArray[np.float32]], base: Snapshot | None) -> list[Entry]:
    number = base.manifest.next_document if base else 0
    first = base.manifest.next_chunk if base else 0
    entries: list[Entry] = []
    for each in new:
        rows = np.stack([vectors[piece.digest] for piece in each.pieces])
        entries.append(Entry(number, first, each.document, each.pieces, rows))
        number, first = number + 1, first + len(each.pieces)
    return entries


def _words(added: Sequence[Entry]) -> Iterator[LexicalEntry]:
    for entry in added:
        for number, piece in enumerate(entry.pieces, entry.first):
            text = entry.document.text[piece.start : piece.end]
            yield LexicalEntry(number, entry.number, entry.document.language, text)


class Draft:
    """A snapshot being written after `base`, or from nothing. The caller holds the index's lock."""

    def __init__(self, root: Path, base: Snapshot | None) -> None:
        self._root, self._base = root, base
        self._from = snapshot.folder_of(root, base.manifest.id) if base else None
        self._folder = root / "snapshots" / _BUILDING
        self._now = datetime.now(UTC)
        self._segments: list[str] = []
        self._folder.mkdir(parents=True)

    def keep(self, kept: Segment, removed: Collection[int]) -> None:
        """Take over a segment of the base without the documents `removed`: all of its removed ones, old and new."""
        assert self._from is not None
        for name in self._base_files(f"{SEGMENTS}/{kept.name}/"):
            link_or_copy(self._from / name, self._folder / name)
        if set(removed) != kept.removed:
            segment.write_removed(self._folder / SEGMENTS / kept.name, removed)
        self._segments.append(kept.name)

    def add(self, entries: Iterable[Entry]) -> None:
        """Write a segment of these entries, ascending by number."""
        name = f"{self._now:%Y%m%dT%H%M%S%f}"
        segment.write(self._folder / SEGMENTS / name, entries)
        self._segments.append(name)

    def lexical(self) -> Path:
        """The folder of the words, with links to the files of the base. Only new files may be written into it."""
        folder = self._folder / LEXICAL
        folder.mkdir()
        for name in self._base_files(f"{LEXICAL}/"):
            assert self._from is not None
            link_or_copy(self._from / name, self._folder / name)
        return folder

    def _base_files(self, prefix: str) -> list[str]:
        return [name for name in self._base.manifest.files if name.startswith(prefix)] if self._base else []

    def seal(self, maker: Maker, *, documents: int, chunks: int, next_document: int, next_chunk: int) -> SnapshotManifest:
        """Sync all files, and rename the folder to the snapshot's id: from then on it is complete."""
        manifest = SnapshotManifest(
            format=FORMAT,
            id="",
            created=self._now.isoformat(timespec="seconds"),
            maker=maker,
            documents=documents,
            chunks=chunks,
            next_document=next_document,
            next_chunk=next_chunk,
            segments=tuple(self._segments),
            files=self._files(),
        )
        manifest = replace(manifest, id=f"{self._now:%Y%m%dT%H%M%S%f}-{manifest.digest()}")
        (self._folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
        sync(self._folder / MANIFEST)
        for folder in (path for path in self._folder.rglob("*") if path.is_dir()):
            sync(folder)
        sync(self._folder)
        self._folder.rename(snapshot.folder_of(self._root, manifest.id))
        sync(self._root / "snapshots")
        return manifest

    def _files(self) -> dict[str, FileEntry]:
        """Every file of the draft. A link to a file of the base was synced and hashed when the base was written."""
        paths = sorted(path for path in self._folder.rglob("*") if path.is_file())
        return {(name := path.relative_to(self._folder).as_posix()): self._file(name, path) for path in paths}

    def _file(self, name: str, path: Path) -> FileEntry:
        status = path.stat()
        before = self._base.manifest.files.get(name) if self._base else None
        if before and self._from and path.samefile(self._from / name):
            return before
        sync(path)
        return FileEntry(status.st_size, status.st_mtime_ns, sha256_file(path))
