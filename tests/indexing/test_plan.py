import os
from pathlib import Path

import pytest

from rag.errors import SeedError
from rag.indexing import plan
from rag.indexing.plan import Plan
from rag.indexing.stamps import Stamps
from rag.ingestion import seeds
from tests.indexing.making import Home, texts


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.put_all({"a.txt": "Kucing makan ikan.", "b/b.txt": "Anjing tidur.", "b/c.txt": "Harga beras naik."})
    made.build()
    return made


def made_plan(home: Home) -> Plan:
    opened = home.open()
    return plan.make(home.seeds, Stamps(home.folder / "none.sqlite"), {listed.path: listed for listed in opened.listed()})


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
    stamp = seeds.stamp

    def refuse(folder: Path, path: str) -> seeds.Stamp:
        if path in paths:
            raise SeedError(f"{path} cannot be read", "mend it")
        return stamp(folder, path)

    monkeypatch.setattr(seeds, "stamp", refuse)


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


def test_circles_of_links_and_links_to_nowhere_are_told(home: Home) -> None:
    (home.seeds / "x.txt").symlink_to("y.txt")
    (home.seeds / "y.txt").symlink_to("x.txt")
    (home.seeds / "b" / "up").symlink_to("..")
    (home.seeds / "inside.txt").symlink_to("a.txt")
    report = home.build()
    assert report.added == ("inside.txt",)
    assert sorted(line.split()[0] for line in report.failures) == ["x.txt", "y.txt"]
