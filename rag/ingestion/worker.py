"""A child process that reads files: its pipes, its surroundings, and a folder of its own that goes with it.

Has files read in a child process, so that none of them can take the build along: it has so much memory, and so much time.

One child reads one file after the other. It is started when the first file comes, and anew after it died or was ended.
"""

import atexit
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from rag.errors import SeedDamaged, SeedError, SeedTooLarge, StorageError
from rag.ingestion import wire
from rag.ingestion.wire import Extracted

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Process:
    """A running child, the ends of its pipes, and the folder in which kreuzberg unpacks its PDF library."""

    popen: subprocess.Popen[bytes]
    requests: BinaryIO
    answers: BinaryIO
    folder: str

    def kill(self) -> None:
        """End the child at once; what it writes and reads ends too."""
        self.popen.kill()

    def end(self) -> None:
        """End the child, and leave nothing of it."""
        self.popen.kill()
        self.popen.wait()
        self._close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def disown(self) -> None:
        """In a fork of the parent: close the pipes without a word to the child, which is the parent's."""
        self.popen.returncode = 0  # or it warns that the child is left running
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - what a thread of the parent was about to send goes there
            os.dup2(nowhere.fileno(), self.requests.fileno())
        self._close()

    def _close(self) -> None:
        for stream in (self.requests, self.answers):
            with suppress(OSError):  # what was not sent cannot be sent any more
                stream.close()


def start(memory: int, seconds: float) -> Process:
    """A new child with so many bytes of memory and seconds for a file. Raises StorageError where it gets no folder."""
    try:
        folder = tempfile.mkdtemp(prefix="rag-reading-")
    except OSError as error:
        raise StorageError(
            f"no temporary folder can be made ({error.strerror})", "set TMPDIR to one with 10 MB of room"
        ) from error
    read_requests, write_requests = os.pipe()
    read_answers, write_answers = os.pipe()
    try:
        popen = _popen([read_requests, write_answers], [memory, math.ceil(seconds)], folder)
    except BaseException:
        os.close(write_requests)
        os.close(read_answers)
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(read_requests)
        os.close(write_answers)
    return Process(popen, os.fdopen(write_requests, "wb"), os.fdopen(read_answers, "rb"), folder)


def _popen(pipes: list[int], limits: list[int], folder: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-B", "-m", "rag.ingestion.child", *map(str, pipes), *map(str, limits)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=pipes,
        env=_environment(folder),
        cwd=folder,
        process_group=0,  # Ctrl-C in a terminal goes to the group, before the child could ask to be spared
    )


def _environment(folder: str) -> dict[str, str]:
    """No home to write a cache to, no keys to lose, no way to a hub of models; few threads and heaps, which take room.

    The folder is ours alone: kreuzberg unpacks its PDF library there and runs it, and in a folder of everyone's, whoever comes
    first could have put another one.
    """
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TESSDATA_PREFIX") if name in os.environ}
    nowhere = "http://127.0.0.1:9"
    return kept | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")])),
        "PYTHONUTF8": "1",
        "HOME": folder,
        "TMPDIR": folder,
        "KREUZBERG_CACHE_DIR": folder,
        "HF_ENDPOINT": nowhere,
        "HTTPS_PROXY": nowhere,
        "HTTP_PROXY": nowhere,
        "MALLOC_ARENA_MAX": "2",
        "TOKIO_WORKER_THREADS": "1",
        "OMP_THREAD_LIMIT": "1",
    }


# Bytes of address space. Measured: 0.2 GB before the first page, 0.25 after a PDF of 3,000 pages, 0.6 after a Word document of
# 64,000 paragraphs and as many rows.
MEMORY = 2 * 1024**3
# For one document, or one scanned page. Three thousand pages of text take three seconds, on an idle core.
SECONDS = 60
_HINT = "split it or save it in another format, or remove it from the seeds"


class Worker:
    """Reads files in a child process. Threads may share it: they wait for each other."""

    def __init__(self, *, memory: int = MEMORY, seconds: float = SECONDS) -> None:
        self._memory = memory
        self._seconds = seconds
        self._lock = threading.Lock()
        self._child: Process | None = None

    def extract(self, raw: bytes, suffix: str) -> Extracted:
        """What the file says; `suffix` is the ending of its name. Raises SeedError, whatever the file does to its reader."""
        with self._lock:
            try:
                return self._unpacked(raw, suffix)
            except SeedError:
                raise
            except (ValueError, RecursionError) as error:
                self._end()
                raise SeedDamaged("it makes its reader talk nonsense", _HINT) from error
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
            self._child.disown()
            self._child = None

    def _unpacked(self, raw: bytes, suffix: str) -> Extracted:
        used, frame = self._child is not None, self._answer(raw, suffix)
        try:
            return wire.unpacked(frame)
        except SeedError:
            if not used:
                raise
            # What other files have left of it may be to blame: only a new one speaks against this one.
            self._end()
            return wire.unpacked(self._answer(raw, suffix))

    def _answer(self, raw: bytes, suffix: str) -> bytes:
        # A child that read other files before may have died of them, or was killed: only a new one speaks against this file.
        used = self._child is not None
        if frame := self._asked(raw, suffix) or (self._asked(raw, suffix) if used else None):
            return frame
        raise SeedDamaged(f"it breaks its reader, or needs more than {self._memory / 1024**3:.0f} GB to be read", _HINT)

    def _asked(self, raw: bytes, suffix: str) -> bytes | None:
        """The frame of the answer; None where the child dies over it. Raises SeedError where it takes too long."""
        child = self._child = self._child or start(self._memory, self._seconds)
        with _Deadline(child, self._seconds) as deadline, suppress(OSError):
            wire.send(child.requests, suffix.encode())
            wire.send(child.requests, raw)
            while (frame := wire.receive(child.answers)) is not None:
                if frame:
                    return frame
                deadline.renew()  # an empty frame: a page is done, and another begins
        self._end()
        if deadline.passed:
            raise SeedTooLarge(f"it takes longer than {self._seconds:.0f} seconds to read", _HINT)
        return None

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


class _Deadline:
    """Kills the process when its time has passed. From a thread, because both writing to it and reading from it may block."""

    def __init__(self, child: Process, seconds: float) -> None:
        self.passed = False
        self._child = child
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
        self._child.kill()


shared = Worker()
atexit.register(shared.close)
os.register_at_fork(after_in_child=shared.forget)
