"""Has files read in a child process, so that none of them can take the build along: it has so much memory, and so much time.

One child reads one file after the other. It is started when the first file comes, and anew after it died or was ended.
"""

import atexit
import math
import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from rag.errors import SeedError
from rag.ingestion import wire
from rag.ingestion.wire import Extracted

# Bytes of address space, of which kreuzberg and its threads reserve 0.6 GB before the first page.
MEMORY = 2 * 1024**3
# For one document, or one scanned page. Three thousand pages of text take three seconds, on an idle core.
SECONDS = 60
_MEND = "split it or save it in another format, or remove it from the seeds"
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class _Child:
    """A running child and the ends of its pipes."""

    process: subprocess.Popen[bytes]
    requests: BinaryIO
    answers: BinaryIO


class Worker:
    """Reads files in a child process. Threads may share it: they wait for each other."""

    def __init__(self, *, memory: int = MEMORY, seconds: float = SECONDS) -> None:
        self._memory = memory
        self._seconds = seconds
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def extract(self, raw: bytes, suffix: str) -> Extracted:
        """What the file says; `suffix` is the ending of its name. Raises SeedError, whatever the file does to its reader."""
        with self._lock:
            try:
                # A child that read other files before may have died of them, or of a hand: only a new one speaks against this file.
                used = self._child is not None
                frame = self._asked(raw, suffix) or (self._asked(raw, suffix) if used else None)
                if frame is None:
                    raise SeedError(
                        f"it breaks its reader, or needs more than {self._memory / 1024**3:.0f} GB to be read", _MEND
                    )
                return wire.unpacked(frame)
            except SeedError:
                raise
            except BaseException:
                # Ctrl-C included: an answer that still comes must not be taken for the next file's.
                self._end()
                raise

    def close(self) -> None:
        """End the child. The next file starts another."""
        with self._lock:
            self._end()

    def forget(self) -> None:
        """In a fork of this process: the child is the parent's, and so is the lock that one of its threads may hold."""
        self._lock = threading.Lock()
        if self._child is not None:
            self._child.process.returncode = 0  # or Popen warns that it is left running
            self._let_go(self._child)

    def _asked(self, raw: bytes, suffix: str) -> bytes | None:
        """The frame of the answer; None where the child dies over it. Raises SeedError where it takes too long."""
        child = self._child = self._child or _started(self._memory, self._seconds)
        with _Deadline(child.process, self._seconds) as deadline, suppress(OSError):
            wire.send(child.requests, suffix.encode())
            wire.send(child.requests, raw)
            while (frame := wire.receive(child.answers)) is not None:
                if frame:
                    return frame
                deadline.renew()  # an empty frame: a page is done, and another begins
        self._end()
        if deadline.passed:
            raise SeedError(f"it takes longer than {self._seconds:.0f} seconds to read", _MEND)
        return None

    def _end(self) -> None:
        if self._child is not None:
            self._child.process.kill()
            self._child.process.wait()
            self._let_go(self._child)

    def _let_go(self, child: _Child) -> None:
        self._child = None
        for stream in (child.requests, child.answers):
            with suppress(OSError):  # what was not sent cannot be sent any more
                stream.close()


class _Deadline:
    """Kills the process when its time has passed. From a thread, because both writing to it and reading from it may block."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.passed = False
        self._process = process
        self._seconds = seconds
        self._timer = self._started()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def renew(self) -> None:
        """Give it the whole time again."""
        self._timer.cancel()
        self._timer = self._started()

    def _started(self) -> threading.Timer:
        timer = threading.Timer(self._seconds, self._kill)
        timer.daemon = True
        timer.start()
        return timer

    def _kill(self) -> None:
        self.passed = True
        self._process.kill()


def _started(memory: int, seconds: float) -> _Child:
    read_requests, write_requests = os.pipe()
    read_answers, write_answers = os.pipe()
    limits = [str(memory), str(math.ceil(seconds))]
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-B", "-m", "rag.ingestion.child", str(read_requests), str(write_answers), *limits],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(read_requests, write_answers),
            env=_environment(),
            cwd="/",
            process_group=0,  # Ctrl-C in a terminal goes to the group, before the child could ask to be spared
        )
    except BaseException:
        os.close(write_requests)
        os.close(read_answers)
        raise
    finally:
        os.close(read_requests)
        os.close(write_answers)
    return _Child(process, os.fdopen(write_requests, "wb"), os.fdopen(read_answers, "rb"))


def _environment() -> dict[str, str]:
    """No home to write a cache to, no keys to lose, no way to a hub of models; few threads and heaps, which take room."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TESSDATA_PREFIX") if name in os.environ}
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    nowhere = "http://127.0.0.1:9"
    return kept | {
        "PYTHONPATH": path,
        "PYTHONUTF8": "1",
        "HOME": "/nonexistent",
        "HF_ENDPOINT": nowhere,
        "HTTPS_PROXY": nowhere,
        "HTTP_PROXY": nowhere,
        "MALLOC_ARENA_MAX": "2",
        "TOKIO_WORKER_THREADS": "1",
        "OMP_THREAD_LIMIT": "1",
    }


shared = Worker()
atexit.register(shared.close)
os.register_at_fork(after_in_child=shared.forget)
