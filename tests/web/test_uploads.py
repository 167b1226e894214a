import errno
import tempfile
import threading
from typing import Any

import pytest
from litestar.testing import TestClient

from rag.engine import Engine
from rag.web.app import create
from rag.web.rebuilding import Rebuilds
from rag.web.routes import uploads
from tests.conftest import SEED
from tests.web.conftest import assert_problem, connect, script, until

Files = list[tuple[str, tuple[str, bytes]]]


@pytest.fixture
def idle(engine: Engine, tmp_path: Any) -> Any:
    """A client whose rebuilds do nothing."""
    rebuilds = Rebuilds(engine.settings, script(tmp_path / "idle.py", "tell(stage='reading', done=0, total=0)"))
    with connect(create(engine, rebuilds=rebuilds)) as opened:
        yield opened


def files(*named: tuple[str, bytes]) -> Files:
    return [("files", one) for one in named]


def names(engine: Engine) -> list[str]:
    return sorted(path.name for path in engine.settings.seeds.rglob("*") if path.name != SEED)


def test_what_is_uploaded_is_answered_from(client: TestClient[Any], engine: Engine) -> None:
    sent = files(("Gajah 日本.txt", b"Gajah Sumatra hidup di Lampung."), ("b.md", b"Harga beras naik."))
    reply = client.post("/v1/documents", files=sent)
    assert reply.status_code == 202
    assert reply.json()["added"] == ["Gajah 日本.txt", "b.md"]
    job = reply.json()["job"]
    until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["state"] == "done")
    assert client.get(f"/v1/jobs/{job['id']}").json()["report"]["added"] == ["Gajah 日本.txt", "b.md"]
    found = client.post("/v1/search", json={"question": "Gajah Sumatra", "count": 1}).json()["passages"]
    assert found[0]["path"] == "Gajah 日本.txt"


def test_two_may_upload_at_once(idle: TestClient[Any], engine: Engine) -> None:
    replies: list[int] = []

    def send(number: int) -> None:
        sent = files(("sama.txt", b"isi %d" % number), (f"{number}.txt", b"lain"))
        replies.append(idle.post("/v1/documents", files=sent).status_code)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert replies == [202] * 4
    assert names(engine) == ["0.txt", "1.txt", "2.txt", "3.txt", "sama.txt"]
    assert (engine.settings.seeds / "sama.txt").read_bytes().startswith(b"isi ")


def test_a_name_that_comes_twice_is_one_document(idle: TestClient[Any], engine: Engine) -> None:
    reply = idle.post("/v1/documents", files=files(("a.txt", b"satu"), ("a.txt", b"dua")))
    assert reply.json()["added"] == ["a.txt"]
    assert (engine.settings.seeds / "a.txt").read_bytes() == b"dua"


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("../x.txt", b"x"),
        ("/etc/x.txt", b"x"),
        ("a/b.txt", b"x"),
        (".x.txt", b"x"),
        ("x.exe", b"x"),
        ("x", b"x"),
        ("x" * 250 + ".txt", b"x"),
        ("é" * 101 + ".txt", b"x"),
        ("x\u202e.txt", b"x"),
        ("x.txt", b""),
    ],
)
def test_what_can_be_no_document_is_refused_and_nothing_is_written(
    idle: TestClient[Any], engine: Engine, name: str, raw: bytes
) -> None:
    assert_problem(idle.post("/v1/documents", files=files(("good.txt", b"baik"), (name, raw))), 422)
    assert names(engine) == []
    assert idle.get("/v1/jobs").json()["items"] == []


def test_limits_are_told(idle: TestClient[Any], engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_FILE_BYTES", 1000)
    assert_problem(idle.post("/v1/documents", files=files(("a.txt", b"x" * 1001))), 413, "a.txt is larger than")
    many = files(*((f"{number}.txt", b"x") for number in range(uploads.MOST_FILES + 1)))
    assert_problem(idle.post("/v1/documents", files=many), 413, "at most 20")
    announced = {"content-type": "multipart/form-data; boundary=x", "content-length": str(uploads.MOST_BYTES + 1)}
    assert_problem(idle.post("/v1/documents", content=b"--x", headers=announced), 413)
    assert names(engine) == []
    assert idle.post("/v1/documents", files=files(("a.txt", b"x" * 1000))).status_code == 202


@pytest.mark.parametrize(
    ("content_type", "raw"),
    [
        ("application/json", b"{}"),
        ("text/plain", b"gajah"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"gajah"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"; filename="a.txt"\r\n\r\nga'),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\ngajah\r\n--x--\r\n'),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--\r\n'),
    ],
)
def test_a_body_that_is_no_form_of_files_is_a_problem(idle: TestClient[Any], content_type: str, raw: bytes) -> None:
    assert_problem(idle.post("/v1/documents", content=raw, headers={"content-type": content_type}), 400)


# Litestar leaves the file to the garbage collector where the form did not become whole.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_temporary_folder_without_room_is_told_as_such(
    idle: TestClient[Any], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rollover(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rollover)
    reply = idle.post("/v1/documents", files=files(("besar.txt", b"Gajah makan daun. " * 100_000)))
    assert_problem(reply, 507, "the disk is full", tempfile.gettempdir())
    assert names(engine) == []
