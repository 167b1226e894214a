from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from litestar.testing import TestClient

from rag.engine import Engine
from rag.indexing.protocol import Unread
from rag.ingestion.seeds_folder import document_id
from rag.web.rebuilding import Rebuilds
from rag.web.routes import documents
from tests.conftest import SEED
from tests.ingestion import makers
from tests.web.conftest import assert_problem, until

NAMES = {
    "berita/Gajah Sumatra.txt": "Gajah hidup di Lampung.",
    "日本語.md": "東京は日本の首都です。",
    "Ünïcode é.txt": "Beras naik. 😀",
}


@pytest.fixture(autouse=True)
def several(engine: Engine) -> None:
    for name, text in NAMES.items():
        (engine.settings.seeds / name).parent.mkdir(exist_ok=True)
        (engine.settings.seeds / name).write_text(text, encoding="utf-8")
    engine.rebuild()


def at(name: str, more: str = "") -> str:
    return f"/v1/documents/{document_id(name)}{more}"


def test_documents_are_listed_page_by_page(client: TestClient[Any]) -> None:
    whole = client.get("/v1/documents").json()
    paths = [item["path"] for item in whole["items"]]
    assert paths == sorted([SEED, *NAMES])
    assert (whole["total"], whole["offset"], whole["limit"]) == (4, 0, 50)
    second = client.get("/v1/documents", params={"offset": 1, "limit": 2}).json()
    assert [item["path"] for item in second["items"]] == paths[1:3]
    assert client.get("/v1/documents", params={"offset": 10**9}).json()["items"] == []


def test_documents_are_listed_by_what_their_path_has_and_by_language(client: TestClient[Any]) -> None:
    def paths(**filters: str) -> list[str]:
        return [item["path"] for item in client.get("/v1/documents", params=filters).json()["items"]]

    assert paths(contains="gajah SUM") == ["berita/Gajah Sumatra.txt"]
    assert paths(contains="日本") == ["日本語.md"]
    assert paths(contains="%") == []
    assert paths(language="ja") == ["日本語.md"]
    assert paths(language="ja", contains="berita/") == []


def test_one_document_says_what_is_known_of_it(client: TestClient[Any]) -> None:
    item = client.get(at("Ünïcode é.txt")).json()
    assert (item["path"], item["characters"], item["pages"]) == ("Ünïcode é.txt", 13, 0)
    assert item["media_type"] == "text/plain; charset=utf-8"
    assert client.get(item["url"]).content == NAMES["Ünïcode é.txt"].encode()


def test_a_text_is_read_by_code_points(client: TestClient[Any]) -> None:
    said = NAMES["Ünïcode é.txt"]
    whole = client.get(at("Ünïcode é.txt", "/text")).json()
    assert (whole["text"], whole["start"], whole["end"], whole["length"], whole["pages"]) == (said, 0, 13, 13, [])
    assert client.get(at("Ünïcode é.txt", "/text"), params={"start": 12}).json()["text"] == "😀"
    assert client.get(at("Ünïcode é.txt", "/text"), params={"start": 6, "end": 11}).json()["text"] == said[6:11]
    assert client.get(at("Ünïcode é.txt", "/text"), params={"start": 13, "end": 13}).json()["text"] == ""


@pytest.mark.parametrize(("start", "end", "first", "last"), [(6, 3006, 6, 13), (14, 20, 13, 13), (3000, 9000, 13, 13)])
def test_a_range_goes_as_far_as_the_text(client: TestClient[Any], start: int, end: int, first: int, last: int) -> None:
    part = client.get(at("Ünïcode é.txt", "/text"), params={"start": start, "end": end}).json()
    assert (part["start"], part["end"], part["length"]) == (first, last, 13)
    assert part["text"] == NAMES["Ünïcode é.txt"][first:last]


def test_a_citation_opens_where_it_points(client: TestClient[Any]) -> None:
    answer = client.post("/v1/ask", json={"question": "Apa kata Menteri Pertahanan Ashtiani tentang Venezuela?"}).json()
    (citation, *_) = answer["citations"]
    place = {"start": citation["start"], "end": citation["end"]}
    assert client.get(f"/v1/documents/{citation['document_id']}/text", params=place).json()["text"] == citation["text"]


def test_the_pages_of_a_text_are_where_they_begin(client: TestClient[Any], engine: Engine) -> None:
    pdf = makers.pdf([["Halaman satu tentang gajah."], ["Halaman dua tentang beras."]])
    (engine.settings.seeds / "a.pdf").write_bytes(pdf)
    assert not engine.rebuild().failures
    read = client.get(at("a.pdf", "/text")).json()
    assert [page["number"] for page in read["pages"]] == [1, 2]
    assert read["text"][read["pages"][1]["start"] :].lstrip().startswith("Halaman dua")
    assert client.get(at("a.pdf")).json()["pages"] == 2


def test_a_long_text_comes_in_ranges(client: TestClient[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_CHARACTERS", 10)
    first = client.get(at(SEED, "/text")).json()
    assert (first["start"], first["end"], len(first["text"])) == (0, 10, 10)
    assert first["length"] > 20
    assert_problem(client.get(at(SEED, "/text"), params={"start": 0, "end": 11}), 400, "at most 10 at once")


@pytest.mark.parametrize(
    ("start", "end"), [("-1", "3"), ("4", "3"), ("14", "0"), ("x", "3"), ("0", "x"), ("1.5", "3"), ("9" * 30, "")]
)
def test_a_range_that_is_none_is_a_problem(client: TestClient[Any], start: str, end: str) -> None:
    place = {"start": start, **({"end": end} if end else {})}
    assert_problem(client.get(at("Ünïcode é.txt", "/text"), params=place), 400)


@pytest.mark.parametrize(
    "filters",
    [{"offset": -1}, {"limit": 0}, {"limit": 201}, {"limit": "x"}, {"offset": "9" * 40}, {"contains": "x" * 1001}],
)
def test_a_page_that_is_none_is_a_problem(client: TestClient[Any], filters: dict[str, Any]) -> None:
    assert_problem(client.get("/v1/documents", params=filters), 400)


@pytest.mark.parametrize("name", ["nothing", "..%2F..%2Fetc%2Fpasswd", "%00", "%ff", "x" * 5000, "' or 1=1 --"])
def test_what_is_no_document_is_a_problem_everywhere(client: TestClient[Any], name: str) -> None:
    for more in ("", "/text", "/original"):
        assert_problem(client.get(f"/v1/documents/{name}{more}"), 404)
    assert_problem(client.delete(f"/v1/documents/{name}"), 404)


def test_a_file_is_saved_and_never_shown(client: TestClient[Any], engine: Engine) -> None:
    page = b"<html><body><script>alert(1)</script><p>Gajah hidup di Lampung.</p></body></html>"
    (engine.settings.seeds / "berita" / "Halo; \"x\" '日'.html").write_bytes(page)
    engine.rebuild()
    reply = client.get(at("berita/Halo; \"x\" '日'.html", "/original"))
    assert reply.content == page
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["x-content-type-options"] == "nosniff"
    kind, _, name = reply.headers["content-disposition"].partition("; ")
    assert (kind, unquote(name)) == ("attachment", "filename*=UTF-8''Halo; \"x\" '日'.html")
    assert name.isascii()
    assert not set(name.partition("''")[2]) & set("\"'; ")


def test_a_file_that_is_not_the_one_that_was_indexed_is_a_problem(client: TestClient[Any], engine: Engine) -> None:
    (engine.settings.seeds / "日本語.md").write_text("別のもの", encoding="utf-8")
    assert_problem(client.get(at("日本語.md", "/original")), 409, "was changed since it was indexed")
    (engine.settings.seeds / "日本語.md").unlink()
    assert_problem(client.get(at("日本語.md", "/original")), 409, "cannot be read")


def test_a_document_is_removed_and_found_no_more(client: TestClient[Any], engine: Engine, rebuilds: Rebuilds) -> None:
    reply = client.delete(at("berita/Gajah Sumatra.txt"))
    assert reply.status_code == 202
    assert reply.json()["removed"] == "berita/Gajah Sumatra.txt"
    assert not (engine.settings.seeds / "berita" / "Gajah Sumatra.txt").exists()
    job = reply.json()["job"]
    until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["state"] == "done")
    assert client.get(f"/v1/jobs/{job['id']}").json()["report"]["removed"] == ["berita/Gajah Sumatra.txt"]
    assert_problem(client.get(at("berita/Gajah Sumatra.txt")), 404)
    assert client.get("/v1/documents").json()["total"] == 3


def test_a_folder_that_became_a_link_is_not_left_by_it(client: TestClient[Any], engine: Engine) -> None:
    outside = engine.settings.home / "outside"
    (engine.settings.seeds / "berita").rename(outside)
    (engine.settings.seeds / "berita").symlink_to(outside)
    assert_problem(client.delete(at("berita/Gajah Sumatra.txt")), 422)
    assert (outside / "Gajah Sumatra.txt").exists()
    assert client.get("/v1/jobs").json()["items"] == []


def unread(client: TestClient[Any]) -> list[dict[str, Any]]:
    reply = client.get("/v1/documents/unread")
    assert reply.status_code == 200
    assert reply.json()["total"] == len(reply.json()["items"])
    return list(reply.json()["items"])


def test_what_could_not_be_read_is_listed_and_can_be_removed(client: TestClient[Any], engine: Engine) -> None:
    assert unread(client) == []
    seeds = engine.settings.seeds
    (seeds / "berita" / "rusak.pdf").write_bytes(b"%PDF-1.7 x")
    engine.rebuild()
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
    engine.rebuild()
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
    engine.index.note_unread(noted)
    *items, folder = unread(client)
    for item in items:
        assert_problem(client.delete(f"/v1/documents/{item['id']}"), 422)
    assert outside.exists()
    assert folder["id"] == ""
    assert_problem(client.delete(f"/v1/documents/{document_id('shut')}"), 404)
    assert (engine.settings.seeds / "shut").is_dir()
