"""The process in which files are read that could break it: `python -m rag.ingestion.child REQUESTS ANSWERS MEMORY SECONDS`.

The first two are the numbers of pipes it inherits. It reads one file after the other until the first pipe ends, and speaks on
the second pipe alone: whatever a native library prints goes nowhere. Its working, home and temporary folder is `TMPDIR`.
"""

import os
import resource
import select
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO, NoReturn

from rag.errors import SeedDamaged, SeedError, SeedTooLarge
from rag.ingestion import formats, wire
from rag.ingestion.wire import Extracted

# A text this long fills a gigabyte where it is indexed; a file of plain text may have as much.
_MOST_CHARACTERS = 100_000_000
# For the PDF library that kreuzberg unpacks (8 MB).
_MOST_WRITTEN = 20_000_000
# The parent ends a file that takes too long. This is for a parent that is gone, while a library holds Python's own lock.
_GRACE = 10


def main(requests: int, answers: int, memory: int, seconds: int) -> None:
    """Answer until the parent closes the pipe, or is gone."""
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer


def _leave_with_parent(requests: int) -> None:
    """End at once when the other end of the pipe is closed, however that came about."""
    ends = select.poll()
    ends.register(requests, 0)  # nothing is asked for but the hang-up, which is always told
    ends.poll()
    _leave()


def _leave() -> NoReturn:
    """End without a trace, whatever a library is doing. The folder is the parent's to remove, but the parent may be gone."""
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os._exit(0)


def _answer(raw: bytes, suffix: str, outgoing: BinaryIO, seconds: int) -> Extracted | SeedError:
    def beat() -> None:
        signal.alarm(seconds + _GRACE)
        wire.send(outgoing, b"")

    try:
        return _checked(_extracted(raw, suffix, beat))
    except SeedError as error:
        return error
    except MemoryError:
        return SeedTooLarge("it needs more memory to read than a document may", "split it, or remove it from the seeds")
    except BaseException as error:  # noqa: BLE001 - a panic of the native library is no Exception
        problem = " ".join(f"{type(error).__name__}: {error}".split())[:150]
        return SeedDamaged(f"it cannot be read ({problem})", "get it or save it again, or remove it from the seeds")


def _extracted(raw: bytes, suffix: str, beat: Callable[[], None]) -> Extracted:
    media_type = formats.media_type(raw, suffix)
    if media_type == formats.HTML:
        from rag.ingestion import webpage

        return replace(webpage.extract(raw), media_type=media_type)
    if media_type == formats.MAIL:
        from rag.ingestion import mail

        return replace(mail.extract(raw), media_type=media_type)
    from rag.ingestion import extraction

    return replace(extraction.extract(raw, media_type, beat), media_type=media_type)


def _checked(extracted: Extracted) -> Extracted:
    if not extracted.text.strip():
        raise formats.empty()
    if len(extracted.text) > _MOST_CHARACTERS:
        raise SeedTooLarge(f"its text is longer than {_MOST_CHARACTERS / 1e6:.0f} million characters", "split it")
    return extracted


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
