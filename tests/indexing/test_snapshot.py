import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import IndexDamaged, IndexMismatch, IndexMissing, StorageError
from rag.indexing import snapshot
from rag.indexing.dense import DenseIndex
from rag.indexing.snapshot import Entry, Maker, Snapshot
from rag.types import Chunk, Document, Span
from tests.fakes import BagEmbedder

MAKER = Maker("bag", "bag-1", {"least": 1, "most": 2})


def entry(path: str, text: str) -> Entry:
    document = Document(f"id-{path}", path, f"sha-{path}", "text/plain", "id", "2026-01-01", text)
    middle = len(text) // 2
    spans = [(0, middle), (middle, len(text))] if middle else [(0, len(text))]
    chunks = [Chunk(document.id, start, end, text[start:end]) for start, end in spans]
    return Entry(document, chunks, BagEmbedder().embed_passages([c.text for c in chunks]))


def test_what_is_written_is_what_is_opened(tmp_path: Path) -> None:
    entries = [entry("a.txt", "satu dua\r\ntiga empat"), entry("b.txt", "lima 😀 enam")]
    manifest = snapshot.write(tmp_path, MAKER, entries)
    opened = Snapshot.open(tmp_path)
    assert opened.manifest == manifest
    assert opened.documents() == [e.document for e in entries]
    assert [c for c, _ in opened.chunks(range(4))] == [c for e in entries for c in e.chunks]
    assert opened.places_of("id-b.txt") == [(2, Span(0, 5)), (3, Span(5, 11))]
    assert opened.document("id-a.txt") == entries[0].document
    assert opened.document("nobody") is None
    assert opened.dense.vectors([2, 3]).tolist() == entries[1].vectors.tolist()


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1, max_size=5))
def test_any_texts_come_back_unchanged(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    root = tmp_path_factory.mktemp("index")
    entries = [entry(f"{n}.txt", text) for n, text in enumerate(texts)]
    snapshot.write(root, MAKER, entries)
    opened = Snapshot.open(root)
    assert [d.text for d in opened.documents()] == texts
    for chunk, document in opened.chunks(range(opened.manifest.chunks)):
        assert document.text[chunk.start : chunk.end] == chunk.text
    opened.close()


def test_searches_after_opening_give_what_they_gave_before(tmp_path: Path) -> None:
    entries = [entry(f"{word}.txt", f"{word} dan lainnya") for word in ("satu", "dua", "tiga")]
    snapshot.write(tmp_path, MAKER, entries)
    query = BagEmbedder().embed_queries(["dua"])[0]
    before = Snapshot.open(tmp_path).dense.search(query, 6)
    assert Snapshot.open(tmp_path).dense.search(query, 6) == before
    assert Snapshot.open(tmp_path).chunks([before[0][0]])[0][1].path == "dua.txt"


def test_no_index_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing, match="run `rag index`"):
        Snapshot.open(tmp_path)


@pytest.mark.parametrize("name", ["manifest.json", "corpus.sqlite", "vectors.faiss"])
@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
def test_a_damaged_file_is_found_when_the_snapshot_is_opened(tmp_path: Path, name: str, damage: str) -> None:
    manifest = snapshot.write(tmp_path, MAKER, [entry("a.txt", "satu dua tiga")])
    path = tmp_path / "snapshots" / manifest.id / name
    raw = path.read_bytes()
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(raw[: len(raw) // 2] if damage == "cut" else bytes([raw[0] ^ 255]) + raw[1:])
    with pytest.raises(IndexDamaged, match="run `rag index --rebuild`"):
        Snapshot.open(tmp_path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    manifest = snapshot.write(tmp_path, MAKER, [entry("a.txt", "satu")])
    path = tmp_path / "snapshots" / manifest.id / "manifest.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "format": snapshot.FORMAT + 1}))
    with pytest.raises(IndexMismatch, match="--rebuild"):
        Snapshot.open(tmp_path)


def test_a_failing_write_leaves_the_old_snapshot_serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = snapshot.write(tmp_path, MAKER, [entry("a.txt", "satu")])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(DenseIndex, "write", full)
    with pytest.raises(StorageError, match="disk is full"):
        snapshot.write(tmp_path, MAKER, [entry("b.txt", "dua")])
    assert Snapshot.open(tmp_path).manifest == old


def test_a_killed_write_leaves_the_old_snapshot_and_the_next_cleans_up(tmp_path: Path) -> None:
    old = snapshot.write(tmp_path, MAKER, [entry("a.txt", "satu")])
    building = tmp_path / "snapshots" / ".building"
    building.mkdir()
    (building / "corpus.sqlite").write_bytes(b"half")
    assert Snapshot.open(tmp_path).manifest == old
    new = snapshot.write(tmp_path, MAKER, [entry("b.txt", "dua")])
    assert not building.exists()
    assert Snapshot.open(tmp_path).manifest == new


def test_the_snapshot_before_stays_open_and_older_ones_go(tmp_path: Path) -> None:
    snapshot.write(tmp_path, MAKER, [entry("a.txt", "satu")])
    reader = Snapshot.open(tmp_path)
    second = snapshot.write(tmp_path, MAKER, [entry("b.txt", "dua")])
    third = snapshot.write(tmp_path, MAKER, [entry("c.txt", "tiga")])
    assert sorted(p.name for p in (tmp_path / "snapshots").iterdir()) == sorted([second.id, third.id])
    assert reader.documents()[0].text == "satu"
