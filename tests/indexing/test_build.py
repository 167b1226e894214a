import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from rag.errors import SeedError
from rag.indexing import build
from rag.indexing.build import BuildReport
from rag.indexing.embedded import snapshot
from rag.indexing.embedded.embedded_index import EmbeddedIndex
from rag.indexing.embedded.snapshot import Snapshot
from rag.indexing.protocol import Maker, Progress
from rag.ingestion.chunking import Chunking
from tests.fakes import BagEmbedder, silent
from tests.indexing.making import Home

CHUNKING = Chunking(least=5, most=8)
Rebuild = Callable[..., BuildReport]


@pytest.fixture
def embedder() -> BagEmbedder:
    return BagEmbedder()


@pytest.fixture
def rebuild(tmp_path: Path, embedder: BagEmbedder) -> Rebuild:
    (tmp_path / "seeds").mkdir()
    write(tmp_path, "a.txt", "Kucing makan ikan di dapur. Anjing tidur di halaman rumah.")
    write(tmp_path, "b/b.txt", "Presiden berbicara di Jakarta pada hari Selasa.")

    def run(digest: str = "bag-1", *, anew: bool = False, progress: Progress = silent) -> BuildReport:
        return build.rebuild(
            seeds=tmp_path / "seeds",
            index=EmbeddedIndex(tmp_path / "index"),
            maker=Maker("bag", digest, CHUNKING.as_dict()),
            chunking=CHUNKING,
            open_embedder=lambda: embedder,
            progress=progress,
            anew=anew,
        )

    return run


def write(tmp_path: Path, path: str, text: str) -> None:
    file = tmp_path / "seeds" / path
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text(text, encoding="utf-8")


def state(tmp_path: Path) -> list[tuple[str, int, int, list[float]]]:
    """Everything a search can see, by document path and place."""
    opened = Snapshot.open(tmp_path / "index")
    found = []
    for segment in opened.segments:
        for listed in segment.listed:
            entry = segment.entry(listed)
            found += [
                (listed.path, p.start, p.end, v.round(6).tolist()) for p, v in zip(entry.pieces, entry.vectors, strict=True)
            ]
    assert len(found) == opened.manifest.chunks == len(opened.lexical)
    assert list(snapshot.verify(tmp_path / "index")) == []
    return sorted(found)


def paths(tmp_path: Path) -> list[str]:
    return sorted(listed.path for listed in Snapshot.open(tmp_path / "index").listed())


def test_the_first_build_embeds_everything(rebuild: Rebuild, embedder: BagEmbedder) -> None:
    report = rebuild()
    assert report.added == ("a.txt", "b/b.txt")
    assert report.embedded == report.chunks == len(embedder.embedded) == 3


def test_a_second_build_does_nothing(rebuild: Rebuild, embedder: BagEmbedder) -> None:
    first = rebuild()
    embedder.embedded.clear()
    second = rebuild()
    assert second.did_nothing
    assert second.snapshot == first.snapshot
    assert embedder.embedded == []


def test_only_what_changed_is_embedded(rebuild: Rebuild, embedder: BagEmbedder, tmp_path: Path) -> None:
    rebuild()
    embedder.embedded.clear()
    write(tmp_path, "c.txt", "Harga beras naik tajam.")
    write(tmp_path, "b/b.txt", "Presiden berbicara di Bandung pada hari Rabu.")
    report = rebuild()
    assert (report.added, report.changed, report.removed, report.unchanged) == (("c.txt",), ("b/b.txt",), (), 1)
    assert sorted(embedder.embedded) == ["Harga beras naik tajam.", "Presiden berbicara di Bandung pada hari Rabu."]


def test_what_is_gone_is_dropped_without_embedding(rebuild: Rebuild, embedder: BagEmbedder, tmp_path: Path) -> None:
    rebuild()
    embedder.embedded.clear()
    (tmp_path / "seeds" / "a.txt").unlink()
    report = rebuild()
    assert report.removed == ("a.txt",)
    assert embedder.embedded == []
    assert paths(tmp_path) == ["b/b.txt"]


def test_a_renamed_or_copied_document_is_not_embedded_again(rebuild: Rebuild, embedder: BagEmbedder, tmp_path: Path) -> None:
    rebuild()
    embedder.embedded.clear()
    seeds = tmp_path / "seeds"
    (seeds / "a.txt").rename(seeds / "z.txt")
    shutil.copy(seeds / "z.txt", seeds / "copy.txt")
    report = rebuild()
    assert (report.added, report.removed) == (("copy.txt", "z.txt"), ("a.txt",))
    assert embedder.embedded == []
    assert paths(tmp_path) == ["b/b.txt", "copy.txt", "z.txt"]


def test_an_index_grown_step_by_step_equals_one_built_at_once(rebuild: Rebuild, tmp_path: Path) -> None:
    rebuild()
    write(tmp_path, "c.txt", "Harga beras naik tajam. Petani senang sekali dengan itu semua.")
    (tmp_path / "seeds" / "a.txt").unlink()
    rebuild()
    grown = state(tmp_path)
    rebuild(anew=True)
    assert state(tmp_path) == grown


def test_another_embedder_embeds_all_again(rebuild: Rebuild) -> None:
    rebuild()
    assert rebuild("bag-2").embedded == 3


def test_a_damaged_index_is_built_again(rebuild: Rebuild, tmp_path: Path) -> None:
    first = rebuild()
    (vectors,) = (tmp_path / "index" / "snapshots" / first.snapshot).glob("segments/*/vectors.npy")
    vectors.write_bytes(b"rubbish")
    assert rebuild().embedded == 3
    assert len(state(tmp_path)) == 3


def test_a_bad_document_is_reported_and_the_others_are_indexed(rebuild: Rebuild, tmp_path: Path) -> None:
    write(tmp_path, "empty.txt", "  \n")
    (tmp_path / "seeds" / "picture.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (tmp_path / "seeds" / "link.txt").symlink_to(tmp_path / "nowhere")
    report = rebuild()
    assert len(report.failures) == 3
    assert sorted(line.split(":")[0].split()[0] for line in report.failures) == ["empty.txt", "link.txt", "picture.txt"]
    assert report.added == ("a.txt", "b/b.txt")
    again = rebuild()
    assert again.did_nothing
    assert len(again.failures) == 3


def test_no_document_at_all_keeps_the_last_good_index(rebuild: Rebuild, tmp_path: Path) -> None:
    rebuild()
    before = state(tmp_path)
    for path in (tmp_path / "seeds" / "a.txt", tmp_path / "seeds" / "b" / "b.txt"):
        path.write_bytes(b"")
    with pytest.raises(SeedError, match=r"no document .* can be read"):
        rebuild()
    assert state(tmp_path) == before


def test_an_empty_folder_says_what_to_put_in(rebuild: Rebuild, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "seeds")
    (tmp_path / "seeds").mkdir()
    with pytest.raises(SeedError, match=r"there are no documents .*; put one in"):
        rebuild()


def test_an_interrupted_build_leaves_the_last_good_index(rebuild: Rebuild, embedder: BagEmbedder, tmp_path: Path) -> None:
    rebuild()
    before = state(tmp_path)
    write(tmp_path, "c.txt", "Harga beras naik tajam.")

    def interrupting(stage: str, _done: int, _total: int) -> None:
        if stage == "embedding":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(progress=interrupting)
    assert state(tmp_path) == before
    assert rebuild().added == ("c.txt",)


def test_a_second_build_waits_for_the_first(rebuild: Rebuild, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    lock = FileLock(tmp_path / "index" / ".lock")
    lock.acquire()
    started, stages = threading.Event(), list[str]()

    def watching(stage: str, _done: int, _total: int) -> None:
        stages.append(stage)
        started.set()

    thread = threading.Thread(target=lambda: rebuild(progress=watching))
    thread.start()
    assert started.wait(30)
    assert snapshot.current_id(tmp_path / "index") is None
    lock.release()
    thread.join(30)
    assert stages.count("waiting") == 1
    assert len(state(tmp_path)) == 3


def test_a_build_notes_what_it_could_not_read_also_where_nothing_can_be(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.put("empty.txt", "")
    with pytest.raises(SeedError, match="no document"):
        home.build()
    (left,) = home.index.unread()
    assert (left.path, left.kind, left.is_folder) == ("empty.txt", "SeedEmpty", False)
    assert left.detail.startswith("empty.txt: it is empty; ")
    home.put("a.txt", "Kucing makan ikan.")
    home.build()
    assert home.index.unread() == [left]
    home.drop("empty.txt")
    home.build()
    assert home.index.unread() == []
