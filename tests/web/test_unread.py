from pathlib import Path
from typing import Any

from litestar.testing import TestClient

from rag.engine import Engine
from rag.indexing import unread as notes
from rag.indexing.unread import Unread
from rag.ingestion.seeds import document_id
from tests.fakes import SilentObserver
from tests.web.conftest import assert_problem, until


def unread(client: TestClient[Any]) -> list[dict[str, Any]]:
    reply = client.get("/v1/documents/unread")
    assert reply.status_code == 200
    assert reply.json()["total"] == len(reply.json()["items"])
    return list(reply.json()["items"])


def test_what_could_not_be_read_is_listed_and_can_be_removed(client: TestClient[Any], engine: Engine) -> None:
    assert unread(client) == []
    seeds = engine.settings.seeds
    (seeds / "berita").mkdir()
    (seeds / "berita" / "rusak.pdf").write_bytes(b"%PDF-1.7 x")
    engine.rebuild(SilentObserver())
    (item,) = unread(client)
    assert (item["id"], item["path"]) == (document_id("berita/rusak.pdf"), "berita/rusak.pdf")
    assert item["problem"]["type"].startswith("urn:rag:Seed")
    assert item["problem"]["detail"].startswith("berita/rusak.pdf: ")
    reply = client.delete(f"/v1/documents/{item['id']}")
    assert (reply.status_code, reply.json()["removed"]) == (202, "berita/rusak.pdf")
    until(lambda: client.get(f"/v1/jobs/{reply.json()['job']['id']}").json()["state"] == "done")
    assert unread(client) == []
    assert not (seeds / "berita" / "rusak.pdf").exists()
    assert_problem(client.delete(f"/v1/documents/{item['id']}"), 404)


def test_a_file_that_could_not_be_read_is_removed_where_there_is_no_index(client: TestClient[Any], engine: Engine) -> None:
    (engine.settings.seeds / "kosong.txt").write_bytes(b"")
    engine.rebuild(SilentObserver())
    (engine.settings.index / "current").unlink()
    (item,) = unread(client)
    assert client.delete(f"/v1/documents/{item['id']}").status_code == 202
    assert not (engine.settings.seeds / "kosong.txt").exists()


def test_a_note_of_unread_files_leads_nowhere_else(client: TestClient[Any], engine: Engine, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("x", encoding="utf-8")
    (engine.settings.seeds / "shut").mkdir()
    paths = ["../outside.txt", str(outside), "shut/../../outside.txt"]
    noted = [Unread(path, "SeedError", "x; y") for path in paths] + [Unread("shut", "SeedError", "x; y", is_folder=True)]
    notes.write(engine.settings.index, noted)
    *items, folder = unread(client)
    for item in items:
        assert_problem(client.delete(f"/v1/documents/{item['id']}"), 422)
    assert outside.exists()
    assert folder["id"] == ""
    assert_problem(client.delete(f"/v1/documents/{document_id('shut')}"), 404)
    assert (engine.settings.seeds / "shut").is_dir()
