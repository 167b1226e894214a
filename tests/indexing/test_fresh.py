from pathlib import Path

import pytest

from rag.indexing import carryover, fresh
from rag.indexing.carryover import Unfinished
from rag.indexing.embedded.snapshot import Snapshot
from rag.indexing.plan import Plan
from tests.fakes import BagEmbedder
from tests.indexing.making import CHUNKING, Home, texts


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.put("a.txt", "Kucing makan ikan di dapur. Anjing tidur di halaman rumah.")
    return made


def read(home: Home, paths: dict[str, str], base: Snapshot | None = None) -> tuple[list[fresh.Fresh], Plan]:
    plan = Plan(fresh=paths)
    new = fresh.read(
        home.seeds, plan, base, chunking=CHUNKING, open_embedder=lambda: home.embedder, report=lambda done, total: None
    )
    return new, plan


def test_every_chunk_is_a_range_of_its_document(home: Home) -> None:
    ((document, pieces),) = [(f.document, f.pieces) for f in read(home, {"a.txt": "?"})[0]]
    assert [document.text[piece.start : piece.end] for piece in pieces] == [
        "Kucing makan ikan di dapur.",
        "Anjing tidur di halaman rumah.",
    ]


def test_what_cannot_be_read_becomes_a_failure_and_the_rest_is_read(home: Home) -> None:
    home.put("empty.txt", " ")
    new, plan = read(home, {"a.txt": "?", "empty.txt": "?", "lost.txt": "?"})
    assert [f.document.path for f in new] == ["a.txt"]
    assert [each.detail.split()[0] for each in plan.unread] == ["empty.txt:", "lost.txt"]


def test_equal_texts_are_embedded_once(home: Home) -> None:
    home.put("b.txt", "Kucing makan ikan di dapur.")
    new, _ = read(home, {"a.txt": "?", "b.txt": "?"})
    root = home.folder
    vectors, made = fresh.vectors(
        new, None, Unfinished(root, "m"), open_embedder=lambda: home.embedder, report=lambda done, total: None
    )
    assert made == len(vectors) == len(home.embedder.embedded) == 2


def test_vectors_of_a_build_that_was_killed_are_not_made_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh, "_STRIDE", 4)
    for n in range(10):
        home.put(f"{n}.txt", f"Dokumen nomor {n} tentang hal lain.")

    class Dying(BagEmbedder):
        def embed_passages(self, texts_):
            if len(self.embedded) >= 8:
                raise KeyboardInterrupt
            return super().embed_passages(texts_)

    home.embedder = Dying()
    with pytest.raises(KeyboardInterrupt):
        home.build()
    assert len(carryover.left(home.root)) == 1
    first, home.embedder = home.embedder.embedded, BagEmbedder()
    report = home.build()
    assert len(first) == 8
    assert report.embedded == 12 - 8
    assert not set(first) & set(home.embedder.embedded)
    assert carryover.left(home.root) == []
    assert home.is_whole()


def test_vectors_left_behind_go_when_the_index_is_in_line(home: Home) -> None:
    """Else `rag doctor` would tell for ever to run a build that does nothing about them."""
    home.build()
    vectors = BagEmbedder().embed_passages(["lama"])
    for maker in (BagEmbedder.digest, "another embedder"):
        Unfinished(home.root, maker).append([bytes(16)], vectors)
    assert home.build().did_nothing
    assert carryover.left(home.root) == []
    Unfinished(home.root, "another embedder").append([bytes(16)], vectors)
    home.put("b.txt", "Harga beras naik.")
    home.build()
    assert carryover.left(home.root) == []


def test_a_document_that_cannot_be_read_makes_no_snapshot_build_after_build(home: Home) -> None:
    """Else the snapshots that can be gone back to would all be the same one."""
    home.put("empty.txt", " ")
    first = home.build()
    again = home.build()
    assert again.snapshot == first.snapshot
    assert again.did_nothing
    assert again.failures == first.failures != ()


def test_a_copy_under_another_kind_of_name_is_read_as_that_kind(home: Home) -> None:
    page = "<html><body><p>Harga beras <b>naik</b> tajam di pasar.</p></body></html>"
    home.put("page.txt", page)
    home.build()
    home.put("page.html", page)
    home.put("copy.TXT", page)
    home.build()
    found = texts(home.root)
    assert found["page.txt"] == found["copy.TXT"] == page
    assert "<p>" not in found["page.html"]
    assert "Harga beras naik tajam" in found["page.html"]
    grown = texts(home.root)
    home.build(anew=True)
    assert texts(home.root) == grown
