import asyncio
import errno
import tempfile
import threading
from typing import Any, cast

import pytest
from litestar.testing import TestClient

from rag.engine import Engine
from rag.errors import QuestionError, RagError, TooLarge
from rag.web.app import create
from rag.web.rebuilding import Rebuilds
from rag.web.routes import uploads
from tests.conftest import SEED
from tests.web.conftest import assert_problem, connect, script, until

CHUNK = 7


def part(head: str, raw: bytes = b"isi") -> bytes:
    return f"--x\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + raw + b"\r\n"


def named(name: str, raw: bytes = b"isi") -> bytes:
    return part(f'name="f"; filename="{name}"', raw)


class Body:
    """A request whose body comes in small pieces, and how much of it was read."""

    def __init__(self, raw: bytes, kind: str = "multipart/form-data", boundary: str | None = "x") -> None:
        self.left = [raw[start : start + CHUNK] for start in range(0, len(raw), CHUNK)]
        self.content_type = (kind, {} if boundary is None else {"boundary": boundary})

    async def stream(self) -> Any:
        while self.left:
            yield self.left.pop(0)
        yield b""

    def read(self, *, most: int = 2, most_bytes: int = 100) -> list[tuple[str, bytes]]:
        async def reading() -> list[tuple[str, bytes]]:
            kept = await uploads.files_of_form(cast("Any", self), most=most, most_bytes=most_bytes)
            found = []
            for file in kept:
                await file.seek(0)
                found.append((file.filename, await file.read()))
            await uploads.close(kept)
            return found

        return asyncio.run(reading())


def test_files_come_as_they_were_sent() -> None:
    raw = b"\r\n--\r\n\x00\xff" * 5
    assert Body(named("a.txt", raw) + named("b.txt", b"") + b"--x--\r\nwhat stands after").read() == [
        ("a.txt", raw),
        ("b.txt", b""),
    ]
    assert Body(b"--x--\r\n").read() == []


@pytest.mark.parametrize(
    ("raw", "error", "said"),
    [
        (named("a.txt", bytes(101)), TooLarge, "a.txt is larger than"),
        (named("a.txt") * 3, TooLarge, "at most 2"),
        (named("a.txt") * 10_000, TooLarge, "at most 2"),
        (part('name="f"'), QuestionError, "not a form of files"),
        (part('name="f"; filename=""'), QuestionError, "not a form of files"),
        # With the charset that they name, they would be decoded for minutes, or not at all.
        (part('name="f"\r\nContent-Type: text/plain; charset=punycode', b"a" * 2000), QuestionError, "not a form of files"),
        (part('name="f"\r\nContent-Type: text/plain; charset=bogus'), QuestionError, "not a form of files"),
        (part("name=f; filename=a.txt\r\nX: " + "y" * 10_000), QuestionError, "not a form of files"),
        (part("name=f; filename=a.txt" + "\r\nX: y" * 100), QuestionError, "not a form of files"),
        (b"--x\r\nContent-Disposition: form-data; filename=\xff.txt\r\n\r\n\r\n", QuestionError, "not a form of files"),
    ],
)
def test_what_is_refused_is_read_to_its_end_and_none_of_it_kept(raw: bytes, error: type[RagError], said: str) -> None:
    body = Body(raw + b"--x--\r\n")
    with pytest.raises(error, match=said):
        body.read()
    assert body.left == []


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [("application/json", None), ("multipart/form-data", None), ("multipart/form-data", ""), ("multipart/mixed", "x")],
)
def test_only_a_form_of_files_is_read(kind: str, boundary: str | None) -> None:
    with pytest.raises(QuestionError, match="send multipart/form-data"):
        Body(named("a.txt") + b"--x--\r\n", kind, boundary).read()


def test_a_form_without_an_end_is_none() -> None:
    with pytest.raises(QuestionError, match="not a form of files"):
        Body(named("a.txt")).read()


Files = list[tuple[str, tuple[str, bytes]]]


@pytest.fixture
def idle(engine: Engine, tmp_path: Any) -> Any:
    """A client whose rebuilds do nothing."""
    rebuilds = Rebuilds(engine.settings, script(tmp_path / "idle.py", "emit(stage='reading', done=0, total=0)"))
    with connect(create(engine, rebuilds=rebuilds)) as opened:
        yield opened


def files(*named: tuple[str, bytes]) -> Files:
    return [("files", one) for one in named]


def names(engine: Engine) -> list[str]:
    return sorted(path.name for path in engine.settings.seeds.rglob("*") if path.name != SEED)


@pytest.mark.slow("sends large bodies")
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


def test_uploads_over_a_limit_are_refused(idle: TestClient[Any], engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
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


# Litestar leaves the file of an incomplete form to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_temporary_folder_is_a_problem(idle: TestClient[Any], engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def rollover(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rollover)
    reply = idle.post("/v1/documents", files=files(("besar.txt", b"Gajah makan daun. " * 100_000)))
    assert_problem(reply, 507, "the disk is full", tempfile.gettempdir())
    assert names(engine) == []
