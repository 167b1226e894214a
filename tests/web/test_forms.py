import asyncio
from typing import Any, cast

import pytest

from rag.errors import QuestionError, RagError, TooLarge
from rag.web import forms

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
            kept = await forms.files(cast("Any", self), most=most, most_bytes=most_bytes)
            found = []
            for file in kept:
                await file.seek(0)
                found.append((file.filename, await file.read()))
            await forms.close(kept)
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
        (part('name="f"'), QuestionError, "no form of files"),
        (part('name="f"; filename=""'), QuestionError, "no form of files"),
        # As these say themselves, they would be decoded by the minute, or not at all.
        (part('name="f"\r\nContent-Type: text/plain; charset=punycode', b"a" * 2000), QuestionError, "no form of files"),
        (part('name="f"\r\nContent-Type: text/plain; charset=bogus'), QuestionError, "no form of files"),
        (part("name=f; filename=a.txt\r\nX: " + "y" * 10_000), QuestionError, "no form of files"),
        (part("name=f; filename=a.txt" + "\r\nX: y" * 100), QuestionError, "no form of files"),
        (b"--x\r\nContent-Disposition: form-data; filename=\xff.txt\r\n\r\n\r\n", QuestionError, "no form of files"),
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
    with pytest.raises(QuestionError, match="no form of files"):
        Body(named("a.txt")).read()
