import os
from pathlib import Path

import pytest

from rag.errors import SeedError
from rag.indexing import build_cache, changes
from rag.indexing.build_cache import Stamps, Unfinished
from rag.indexing.changes import Plan
from rag.indexing.protocol import NewDocument, State
from rag.ingestion import seeds_folder
from tests.fakes import BagEmbedder, silent
from tests.indexing.making import CHUNKING, Home, texts


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.put_all({"a.txt": "Kucing makan ikan.", "b/b.txt": "Anjing tidur.", "b/c.txt": "Harga beras naik."})
    made.build()
    return made


def made_plan(home: Home) -> Plan:
    opened = home.open()
    return changes.plan(home.seeds, Stamps(home.folder / "none.sqlite"), {listed.path: listed for listed in opened.listed()})


def test_nothing_changed(home: Home) -> None:
    found = made_plan(home)
    assert set(found.unchanged) == {"a.txt", "b/b.txt", "b/c.txt"}
    assert (found.kept, found.fresh, found.unread) == ({}, {}, [])
    assert found.stays() == {0, 1, 2}


def test_new_changed_and_lost(home: Home) -> None:
    home.put("new.txt", "Baru.")
    home.put("a.txt", "Kucing minum susu.")
    home.drop("b/c.txt")
    found = made_plan(home)
    assert (set(found.unchanged), set(found.fresh), found.kept) == ({"b/b.txt"}, {"a.txt", "new.txt"}, {})
    assert found.stays() == {1}


def refusing(monkeypatch: pytest.MonkeyPatch, *paths: str) -> None:
    """Tests may run as root, who may read everything: so the refusal is made."""
    stamp = seeds_folder.stamp

    def refuse(folder: Path, path: str) -> seeds_folder.Stamp:
        if path in paths:
            raise SeedError(f"{path} cannot be read", "fix it")
        return stamp(folder, path)

    monkeypatch.setattr(seeds_folder, "stamp", refuse)


def test_a_document_that_cannot_be_read_now_is_kept_as_it_was(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.put("new.txt", "Baru.")
    refusing(monkeypatch, "a.txt", "new.txt")
    found = made_plan(home)
    assert (set(found.kept), set(found.fresh)) == ({"a.txt"}, set())
    assert [(each.path, each.kind) for each in found.unread] == [("a.txt", "SeedError"), ("new.txt", "SeedError")]
    report = home.build()
    assert (report.kept, report.removed, report.added) == (("a.txt",), (), ())
    assert texts(home.root)["a.txt"] == "Kucing makan ikan."


def test_documents_of_a_folder_that_cannot_be_listed_are_kept(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = os.scandir

    def refuse(path: str | int) -> object:
        if path == str(home.seeds / "b"):
            raise PermissionError(13, "Permission denied", path)
        return listing(path)

    home.put("bb.txt", "Bukan di folder itu.")
    home.build()
    home.drop("bb.txt")
    monkeypatch.setattr(os, "scandir", refuse)
    report = home.build()
    assert (report.kept, report.removed) == (("b/b.txt", "b/c.txt"), ("bb.txt",))
    assert len(report.failures) == 1
    assert set(texts(home.root)) == {"a.txt", "b/b.txt", "b/c.txt"}


def test_circles_of_links_and_links_to_nowhere_are_reported(home: Home) -> None:
    (home.seeds / "x.txt").symlink_to("y.txt")
    (home.seeds / "y.txt").symlink_to("x.txt")
    (home.seeds / "b" / "up").symlink_to("..")
    (home.seeds / "inside.txt").symlink_to("a.txt")
    report = home.build()
    assert report.added == ("inside.txt",)
    assert sorted(line.split()[0] for line in report.failures) == ["x.txt", "y.txt"]


@pytest.fixture
def seeded(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.put("a.txt", "Kucing makan ikan di dapur. Anjing tidur di halaman rumah.")
    return made


def read(seeded: Home, paths: dict[str, str], base: State | None = None) -> tuple[list[NewDocument], Plan]:
    plan = Plan(fresh=paths)
    new = changes.read(seeded.seeds, plan, base, chunking=CHUNKING, open_embedder=lambda: seeded.embedder, progress=silent)
    return new, plan


def test_every_chunk_is_a_range_of_its_document(seeded: Home) -> None:
    ((document, pieces),) = [(f.document, f.pieces) for f in read(seeded, {"a.txt": "?"})[0]]
    assert [document.text[piece.start : piece.end] for piece in pieces] == [
        "Kucing makan ikan di dapur.",
        "Anjing tidur di halaman rumah.",
    ]


def test_what_cannot_be_read_becomes_a_failure_and_the_rest_is_read(seeded: Home) -> None:
    seeded.put("empty.txt", " ")
    new, plan = read(seeded, {"a.txt": "?", "empty.txt": "?", "lost.txt": "?"})
    assert [f.document.path for f in new] == ["a.txt"]
    assert [each.detail.split()[0] for each in plan.unread] == ["empty.txt:", "lost.txt"]


def test_equal_texts_are_embedded_once(seeded: Home) -> None:
    seeded.put("b.txt", "Kucing makan ikan di dapur.")
    new, _ = read(seeded, {"a.txt": "?", "b.txt": "?"})
    root = seeded.folder
    vectors, made = changes.vectors(new, None, Unfinished(root, "m"), open_embedder=lambda: seeded.embedder, progress=silent)
    assert made == len(vectors) == len(seeded.embedder.embedded) == 2


def test_vectors_of_a_build_that_was_killed_are_not_made_again(seeded: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_STRIDE", 4)
    for n in range(10):
        seeded.put(f"{n}.txt", f"Dokumen nomor {n} tentang hal lain.")

    class Dying(BagEmbedder):
        def embed_passages(self, texts_):
            if len(self.embedded) >= 8:
                raise KeyboardInterrupt
            return super().embed_passages(texts_)

    seeded.embedder = Dying()
    with pytest.raises(KeyboardInterrupt):
        seeded.build()
    assert len(build_cache.left(seeded.root)) == 1
    first, seeded.embedder = seeded.embedder.embedded, BagEmbedder()
    report = seeded.build()
    assert len(first) == 8
    assert report.embedded == 12 - 8
    assert not set(first) & set(seeded.embedder.embedded)
    assert build_cache.left(seeded.root) == []
    assert seeded.is_whole()


def test_vectors_left_behind_go_when_the_index_is_in_line(seeded: Home) -> None:
    """Else `rag doctor` would tell for ever to run a build that does nothing about them."""
    seeded.build()
    vectors = BagEmbedder().embed_passages(["lama"])
    for maker in (BagEmbedder.digest, "another embedder"):
        Unfinished(seeded.root, maker).append([bytes(16)], vectors)
    assert seeded.build().did_nothing
    assert build_cache.left(seeded.root) == []
    Unfinished(seeded.root, "another embedder").append([bytes(16)], vectors)
    seeded.put("b.txt", "Harga beras naik.")
    seeded.build()
    assert build_cache.left(seeded.root) == []


def test_a_document_that_cannot_be_read_makes_no_snapshot_build_after_build(seeded: Home) -> None:
    """Else the snapshots that can be gone back to would all be the same one."""
    seeded.put("empty.txt", " ")
    first = seeded.build()
    again = seeded.build()
    assert again.snapshot == first.snapshot
    assert again.did_nothing
    assert again.failures == first.failures != ()


def test_a_copy_under_another_kind_of_name_is_read_as_that_kind(seeded: Home) -> None:
    page = "<html><body><p>Harga beras <b>naik</b> tajam di pasar.</p></body></html>"
    seeded.put("page.txt", page)
    seeded.build()
    seeded.put("page.html", page)
    seeded.put("copy.TXT", page)
    seeded.build()
    found = texts(seeded.root)
    assert found["page.txt"] == found["copy.TXT"] == page
    assert "<p>" not in found["page.html"]
    assert "Harga beras naik tajam" in found["page.html"]
    grown = texts(seeded.root)
    seeded.build(anew=True)
    assert texts(seeded.root) == grown
