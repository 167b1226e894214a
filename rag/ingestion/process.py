"""A child process that reads files: its pipes, its surroundings, and a folder of its own that goes with it."""

import math
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rag.errors import StorageError

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
