from pathlib import Path

import pytest

from rag.errors import SeedError, StorageError
from rag.ingestion import removing


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    folder = tmp_path / "seeds"
    (folder / "berita").mkdir(parents=True)
    (folder / "berita" / "a.txt").write_text("satu")
    (tmp_path / "outside.txt").write_text("dua")
    return folder


def test_a_file_is_removed_and_once_more_is_no_error(seeds: Path) -> None:
    removing.remove(seeds, "berita/a.txt")
    removing.remove(seeds, "berita/a.txt")
    removing.remove(seeds, "nowhere/a.txt")
    assert list((seeds / "berita").iterdir()) == []


@pytest.mark.parametrize("path", ["../outside.txt", "berita/../../outside.txt", "link/outside.txt", "{outside}"])
def test_nothing_outside_is_removed(seeds: Path, path: str) -> None:
    outside = seeds.parent / "outside.txt"
    (seeds / "link").symlink_to(seeds.parent)
    with pytest.raises(SeedError, match="is no document"):
        removing.remove(seeds, path.format(outside=outside))
    assert outside.exists()


def test_a_link_goes_and_what_it_leads_to_stays(seeds: Path) -> None:
    (seeds / "link.txt").symlink_to(seeds.parent / "outside.txt")
    removing.remove(seeds, "link.txt")
    assert not (seeds / "link.txt").is_symlink()
    assert (seeds.parent / "outside.txt").exists()


def test_a_folder_is_no_document(seeds: Path) -> None:
    with pytest.raises(StorageError):
        removing.remove(seeds, "berita")
    assert (seeds / "berita" / "a.txt").exists()
