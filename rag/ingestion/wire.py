"""The messages between the child process that reads files and its parent: frames of a length and that many bytes.

Answers are JSON, not pickle: a document that takes over the child must not take over the parent.
"""

import json
from dataclasses import dataclass
from typing import BinaryIO

from rag.errors import SeedError

_LENGTH = 8
# Bytes. The longest text that `child.py` sends is shorter.
_MOST_ANSWER = 1_000_000_000
# The errors that an answer may name.
_KINDS = {kind.__name__: kind for kind in SeedError.__subclasses__()}


@dataclass(frozen=True, slots=True)
class Extracted:
    """The text read from a file.

    `date` is the ISO day that the file states, or empty. `pages` are the offsets in `text` at which its pages begin, empty for
    formats without pages.
    """

    text: str
    date: str = ""
    pages: tuple[int, ...] = ()
    media_type: str = ""


def cleaned(text: str) -> str:
    """The text without zeros and lone surrogates, and with line feeds as line ends."""
    return text.replace("\r\n", "\n").replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")


def send(stream: BinaryIO, frame: bytes) -> None:
    """Write one frame. Raises OSError where the other end is closed."""
    stream.write(len(frame).to_bytes(_LENGTH, "big"))
    stream.write(frame)
    stream.flush()


def receive(stream: BinaryIO, most: int = _MOST_ANSWER) -> bytes | None:
    """The next frame; None where the stream ends before the frame does, or its length is above `most` bytes."""
    head = stream.read(_LENGTH)
    if len(head) < _LENGTH or (length := int.from_bytes(head, "big")) > most:
        return None
    frame = stream.read(length)
    return frame if len(frame) == length else None


def packed(answer: Extracted | SeedError) -> bytes:
    """The frame of an answer."""
    if isinstance(answer, SeedError):
        fields: dict[str, object] = {"kind": type(answer).__name__, "problem": answer.problem, "hint": answer.hint}
    else:
        fields = {"text": answer.text, "date": answer.date, "pages": answer.pages, "media_type": answer.media_type}
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")


def unpacked(frame: bytes) -> Extracted:
    """The answer in a frame.

    Raises the SeedError that the frame holds, and ValueError or RecursionError where it holds no answer.
    """
    fields = json.loads(frame)
    match fields:
        case {"kind": str(kind), "problem": str(problem), "hint": str(hint)}:
            raise _KINDS.get(kind, SeedError)(problem, hint)
        case {"text": str(text), "date": str(date), "pages": list(pages), "media_type": str(media_type)}:
            if all(isinstance(page, int) and 0 <= page <= len(text) for page in pages) and pages == sorted(pages):
                return Extracted(text, date, tuple(pages), media_type)
    raise ValueError("no answer")
