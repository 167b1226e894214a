"""Reads files in a child process, with limits of memory and time, so that no file can stop a build.

`Worker` is the interface: one child reads one file after another. It starts with the first file, and again after it died or was
killed. `Process` is the running child: its pipes, and its temporary folder, which is removed with it. `child.py` is the program
that runs there, `wire.py` the format of requests and answers.
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

# Bytes of address space. Measured: 0.2 GB before the first page, 0.25 after a PDF of 3,000 pages, 0.6 after a Word document of
# 64,000 paragraphs and as many rows.
MEMORY = 2 * 1024**3
# For one document, or one scanned page. Three thousand pages of text take three seconds, on an idle core.
SECONDS = 60
_HINT = "split it or save it in another format, or remove it from the seeds"


class Worker:
    """Reads files in a child process. Threads may share it: they read one file at a time.

    `memory` is in bytes of address space, `seconds` the time for one document or one scanned page.
    """

    def __init__(self, *, memory: int = MEMORY, seconds: float = SECONDS) -> None:
        self._memory = memory
        self._seconds = seconds
        self._lock = threading.Lock()
        self._child: Process | None = None

    def extract(self, raw: bytes, suffix: str) -> Extracted:
        """The text of the file; `suffix` is the end of its name, in lower case.

        Raises SeedError for any file that cannot be read, also where it crashes its reader, and StorageError where there is no
        temporary folder.
        """
        with self._lock:
            try:
                return self._unpacked(raw, suffix)
            except SeedError:
                raise
            except (ValueError, RecursionError) as error:
                self._end()
                raise SeedDamaged("the extraction process returned invalid data", _HINT) from error
            except BaseException:
                # Ctrl-C included. An answer that still comes must not be taken for the next file's.
                self._end()
                raise

    def close(self) -> None:
        """End the child. The next file starts a new one."""
        with self._lock:
            self._end()

    def forget(self) -> None:
        """Leave the child to the parent, after a fork of this process; one of the parent's threads may hold the lock too."""
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
            # An earlier file may have left the child broken. Only a new child's answer counts against this file.
            self._end()
            return wire.unpacked(self._answer(raw, suffix))

    def _answer(self, raw: bytes, suffix: str) -> bytes:
        # A used child may have died of an earlier file, or been killed. Only a new child's death counts against this file.
        used = self._child is not None
        if frame := self._exchange(raw, suffix) or (self._exchange(raw, suffix) if used else None):
            return frame
        raise SeedDamaged(f"reading it crashed, or needed more than {self._memory / 1024**3:.0f} GB", _HINT)

    def _exchange(self, raw: bytes, suffix: str) -> bytes | None:
        """The frame of the answer; None where the child dies. Raises SeedError where it takes too long."""
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


_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Process:
    """A running child, the parent's ends of its pipes, and the folder in which kreuzberg unpacks its PDF library."""

    popen: subprocess.Popen[bytes]
    requests: BinaryIO
    answers: BinaryIO
    folder: str

    def kill(self) -> None:
        """Kill the child; a pending read from it or write to it ends."""
        self.popen.kill()

    def end(self) -> None:
        """Kill the child and remove everything of it."""
        self.popen.kill()
        self.popen.wait()
        self._close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def disown(self) -> None:
        """Close the pipes in a fork of the parent, and send the child nothing."""
        self.popen.returncode = 0  # or Popen warns that the child is still running
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - receives what a thread of the parent had buffered
            os.dup2(nowhere.fileno(), self.requests.fileno())
        self._close()

    def _close(self) -> None:
        for stream in (self.requests, self.answers):
            with suppress(OSError):  # buffered bytes can no longer be sent
                stream.close()


def start(memory: int, seconds: float) -> Process:
    """A new child; `memory` and `seconds` as for `Worker`. Raises StorageError where no temporary folder can be made."""
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
        process_group=0,  # Ctrl-C in a terminal is sent to the group, also before the child can ignore it
    )


def _environment(folder: str) -> dict[str, str]:
    """The child's environment: no secrets, no home but its folder, no network, and few threads and heaps, which take memory.

    The folder belongs to this process alone: kreuzberg unpacks its PDF library there and runs it. In a shared folder another
    user could replace the library.
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


class _Deadline:
    """Kills the process when its time is over. From a thread, because writing to the process and reading from it may block."""

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
        """Start the time again."""
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
