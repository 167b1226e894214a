"""The process that reads files which could break it: `python -m rag.ingestion.child REQUESTS ANSWERS MEMORY SECONDS`.

REQUESTS and ANSWERS are the numbers of inherited pipes, MEMORY is in bytes. The process reads one file after another until
REQUESTS ends, and writes to ANSWERS only: what a native library prints is discarded. Its working, home and temporary folder is
`TMPDIR`. `worker.py` is the parent's side, `wire.py` the format of requests and answers.
"""

import os
import resource
import select
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import BinaryIO, NoReturn

from rag.errors import SeedDamaged, SeedError, SeedTooLarge
from rag.ingestion import formats, wire
from rag.ingestion.formats import Extractor, Format
from rag.ingestion.wire import Extracted

# A text of this length takes a gigabyte while it is indexed; a file of plain text may have as much.
_MOST_CHARACTERS = 100_000_000
# Bytes of a file that the process may write: kreuzberg unpacks its PDF library (8 MB).
_MOST_WRITTEN = 20_000_000
# Seconds on top of the parent's deadline. The parent kills a child that takes too long; this alarm ends a child whose parent is
# gone while a library holds Python's lock, so that `_leave_with_parent` cannot run.
_GRACE = 10


def main(requests: int, answers: int, memory: int, seconds: int) -> None:
    """Answer requests until the parent closes the pipe or ends."""
    _confine(memory)
    threading.Thread(target=_leave_with_parent, args=(requests,), daemon=True).start()
    with os.fdopen(requests, "rb") as incoming, os.fdopen(answers, "wb") as outgoing:
        while (suffix := wire.receive(incoming)) is not None and (raw := wire.receive(incoming)) is not None:
            signal.alarm(seconds + _GRACE)
            wire.send(outgoing, wire.packed(_answer(raw, suffix.decode(), outgoing, seconds)))
            signal.alarm(0)
    _leave()


def _confine(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_WRITTEN, _MOST_WRITTEN))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C


def _leave_with_parent(requests: int) -> None:
    """End as soon as the other end of the pipe is closed, for whatever reason."""
    ends = select.poll()
    ends.register(requests, 0)  # no events: a hang-up is always reported
    ends.poll()
    _leave()


def _leave() -> NoReturn:
    """End at once, also within a library's call. The parent removes the folder too, but it may be gone."""
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os._exit(0)


def _answer(raw: bytes, suffix: str, outgoing: BinaryIO, seconds: int) -> Extracted | SeedError:
    def beat() -> None:
        """Start the time again, here and in the parent: the next page begins."""
        signal.alarm(seconds + _GRACE)
        wire.send(outgoing, b"")

    try:
        return _checked(_extracted(raw, suffix, beat))
    except SeedError as error:
        return error
    except MemoryError:
        return SeedTooLarge("reading it exceeds the memory limit", formats.HINT_SPLIT)
    except BaseException as error:  # noqa: BLE001 - a panic of the native library is not an Exception
        problem = " ".join(f"{type(error).__name__}: {error}".split())[:150]
        return SeedDamaged(f"it cannot be read ({problem})", formats.HINT_AGAIN)


def _extracted(raw: bytes, suffix: str, beat: Callable[[], None]) -> Extracted:
    row = formats.recognise(raw, suffix)
    return replace(_EXTRACTORS[row.extractor](raw, row, beat), media_type=row.media_type)


def _checked(extracted: Extracted) -> Extracted:
    if not extracted.text.strip():
        raise formats.empty()
    if len(extracted.text) > _MOST_CHARACTERS:
        raise SeedTooLarge(f"its text is longer than {_MOST_CHARACTERS / 1e6:.0f} million characters", "split it")
    return extracted


# Each module is imported with the first file that needs it, so that the child starts without their libraries.
def _with_kreuzberg(raw: bytes, row: Format, beat: Callable[[], None]) -> Extracted:
    from rag.ingestion import extraction

    return extraction.extract(raw, row, beat)


def _as_web_page(raw: bytes, row: Format, beat: Callable[[], None]) -> Extracted:  # noqa: ARG001 - an extractor's signature
    from rag.ingestion import webpage

    return webpage.extract(raw)


def _as_mail(raw: bytes, row: Format, beat: Callable[[], None]) -> Extracted:  # noqa: ARG001 - an extractor's signature
    from rag.ingestion import mail

    return mail.extract(raw)


# All but `Extractor.TEXT`, which runs in the parent.
_EXTRACTORS: Mapping[Extractor, Callable[[bytes, Format, Callable[[], None]], Extracted]] = {
    Extractor.KREUZBERG: _with_kreuzberg,
    Extractor.WEB_PAGE: _as_web_page,
    Extractor.MAIL: _as_mail,
}


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
