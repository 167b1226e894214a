import errno
import json
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import IndexDamaged, IndexMismatch, IndexMissing, StorageError
from rag.indexing.embedded import dense, snapshot
from rag.indexing.embedded.snapshot import Snapshot, SnapshotManifest
from rag.types import Condition
from tests.fakes import BagEmbedder
from tests.indexing.making import MAKER, document, grow, texts, write

A = document("a.txt", "satu dua\r\ntiga empat")
B = document("b/b.txt", "lima 😀 enam", "en")


def two(root: Path) -> SnapshotManifest:
    """A snapshot of two segments, one of which lost a document."""
    write(root, [A, document("old.txt", "lama sekali"), document("c.txt", "tujuh delapan")])
    return grow(root, B, without=["old.txt"])


def one_of_each_kind(folder: Path) -> list[Path]:
    """A file of each kind of name, the manifest and those of the words too."""
    by_kind = {(path.parent.parent.name, path.name[:1], path.suffix): path for path in folder.rglob("*") if path.is_file()}
    return sorted(by_kind.values())


def test_what_is_written_is_what_is_opened(tmp_path: Path) -> None:
    manifest = two(tmp_path)
    opened = Snapshot.open(tmp_path)
    assert opened.manifest == manifest
    assert (manifest.documents, manifest.chunks, manifest.next_document, manifest.next_chunk) == (3, 6, 4, 8)
    assert sorted(listed.path for listed in opened.listed()) == ["a.txt", "b/b.txt", "c.txt"]
    assert opened.document("id-b/b.txt") == B
    assert opened.document("id-a.txt") == A
    assert opened.document("id-old.txt") is None
    assert list(snapshot.verify(tmp_path)) == []


def test_conditions_choose_documents_of_all_segments(tmp_path: Path) -> None:
    two(tmp_path)
    opened = Snapshot.open(tmp_path)
    chosen = opened._matching([Condition("language", "=", ("id", "en"))])
    assert chosen is not None
    assert sorted(chosen.tolist()) == [0, 2, 3]
    assert opened._matching([]) is None


def test_languages_are_counted_in_chunks(tmp_path: Path) -> None:
    two(tmp_path)
    assert Snapshot.open(tmp_path).languages() == {"id": 6, "en": 2}


def test_chunks_come_from_the_newest_document_on_and_in_its_order(tmp_path: Path) -> None:
    two(tmp_path)
    assert list(Snapshot.open(tmp_path).chunk_texts()) == [
        "lima ",
        "😀 enam",
        "tujuh ",
        "delapan",
        "satu dua\r\n",
        "tiga empat",
    ]


def test_a_manifest_survives_its_file() -> None:
    entry = snapshot.FileEntry(3, 5, "ab")
    made = SnapshotManifest(
        id="",
        created="now",
        maker=MAKER,
        documents=1,
        chunks=2,
        segments=("s",),
        format=snapshot.FORMAT,
        next_document=3,
        next_chunk=4,
        files={"é": entry},
    )
    named = replace(made, id=f"x-{made.digest()}")
    assert SnapshotManifest.from_json(named.to_json()) == named


def test_no_index_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing, match="run `rag index`"):
        Snapshot.open(tmp_path)


@pytest.mark.parametrize("content", [b"", b"../../etc\n", b"\xff", b"a b"])
def test_a_pointer_that_names_no_snapshot_is_damage(tmp_path: Path, content: bytes) -> None:
    two(tmp_path)
    (tmp_path / "current").write_bytes(content)
    with pytest.raises(IndexDamaged, match="run `rag index"):
        Snapshot.open(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "flip", "grow", "remove"])
def test_damage_to_any_file_is_found_when_the_snapshot_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(dense, "EXACT_MOST", 3)
    monkeypatch.setattr(dense, "_LISTS_PER_ROOT", 0.5)
    manifest = two(tmp_path)
    files = one_of_each_kind(tmp_path / "snapshots" / manifest.id)
    assert {"manifest.json", "corpus.sqlite", "vectors.npy", "removed.json", "meta.json", "ivf.faiss"} <= {
        f.name for f in files
    }
    assert len(files) > 8
    for path in files:
        raw = path.read_bytes()
        match damage:
            case "cut":
                path.write_bytes(raw[: len(raw) // 2])
            case "flip":
                path.write_bytes(raw[:-3] + bytes([raw[-3] ^ 1]) + raw[-2:])
            case "grow":
                path.write_bytes(raw + b"\0")
            case "remove":
                path.unlink()
        with pytest.raises(IndexDamaged, match="run `rag index --rebuild`"):
            Snapshot.open(tmp_path)
        path.write_bytes(raw)
    Snapshot.open(tmp_path).close()


def test_only_hashing_finds_a_change_that_kept_size_and_time(tmp_path: Path) -> None:
    manifest = two(tmp_path)
    (path, *_) = (tmp_path / "snapshots" / manifest.id).glob("segments/*/vectors.npy")
    status, raw = path.stat(), path.read_bytes()
    path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    Snapshot.open(tmp_path).close()
    (finding,) = snapshot.verify(tmp_path)
    assert "vectors.npy is not what the manifest says" in finding


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "snapshots" / two(tmp_path).id / "manifest.json"
    fields = json.loads(path.read_text())
    for format_ in (snapshot.FORMAT - 1, snapshot.FORMAT + 1):
        path.write_text(json.dumps({**fields, "format": format_}))
        with pytest.raises(IndexMismatch, match="--rebuild"):
            Snapshot.open(tmp_path)


@pytest.mark.parametrize("change", [{"chunks": 99}, {"segments": []}, {"files": {}}, {"created": "x"}, {"id": "other"}])
def test_an_altered_manifest_is_damage(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "snapshots" / two(tmp_path).id / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(IndexDamaged, match="not what was written"):
        Snapshot.open(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "null", '{"format": 3}', '{"format": 3, "files": [1]}'])
def test_what_is_no_manifest_is_damage(tmp_path: Path, content: str) -> None:
    path = tmp_path / "snapshots" / two(tmp_path).id / "manifest.json"
    path.write_text(content)
    with pytest.raises(IndexDamaged, match="run `rag index --rebuild`"):
        Snapshot.open(tmp_path)


def test_a_reader_goes_on_when_its_snapshot_is_removed(tmp_path: Path) -> None:
    manifest = two(tmp_path)
    reader = Snapshot.open(tmp_path)
    shutil.rmtree(tmp_path / "snapshots" / manifest.id)
    assert reader.document("id-a.txt") == A
    assert [segment.dense.search(BagEmbedder().embed_queries(["lima"])[0], 1).rows.tolist() for segment in reader.segments]
    assert [number for number, _ in reader.lexical.search("lima", "id", 3)] == [6]


def test_each_kept_snapshot_can_be_opened_by_its_name(tmp_path: Path) -> None:
    first = write(tmp_path, [A])
    grow(tmp_path, B)
    assert texts(tmp_path, first.id) == {"a.txt": A.text}
    assert texts(tmp_path) == {"a.txt": A.text, "b/b.txt": B.text}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.EACCES])
def test_what_the_system_refuses_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Else a build on a full disk would take the index for damaged and embed everything again."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), "/tmp")

    two(tmp_path)
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(StorageError):
        Snapshot.open(tmp_path)


def test_a_lock_that_is_made_while_the_words_are_opened_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of tantivy's makes one when it likes."""
    made: list[Path] = []
    remove = os.rmdir

    def crowded(path: str | Path, **keywords: int | None) -> None:
        if Path(path).name.startswith("rag-") and len(made) < 3:
            made.append(Path(path) / ".tantivy-meta.lock")
            made[-1].touch()
        remove(path, **keywords)

    two(tmp_path)
    monkeypatch.setattr(os, "rmdir", crowded)
    Snapshot.open(tmp_path).close()
    assert len(made) == 3
    assert not made[-1].parent.exists()
