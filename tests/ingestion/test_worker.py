"""The child that reads: it is used again, started anew, and leaves no orphan."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag.errors import SeedError, StorageError
from rag.ingestion import wire
from rag.ingestion.worker import Worker
from tests.conftest import ROOT
from tests.ingestion import makers
from tests.ingestion.test_hostile import deep_odt

SENTENCE = "Kucing makan ikan tiap pagi."
# Long enough to be in the middle of when something happens.
LONG = makers.pdf([["Kata kata kata."] * 40] * 4000)


@pytest.fixture
def worker():
    made = Worker()
    yield made
    made.close()


def child_of(worker: Worker) -> int:
    assert worker._child is not None
    return worker._child.popen.pid


def read(worker: Worker, words: str = SENTENCE) -> str:
    return worker.extract(makers.docx([words]), ".docx").text


def gone(pid: int, seconds: float = 5) -> bool:
    """Whether the process ends, or is but a zombie, within the time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z"):
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_one_child_reads_many_files(worker):
    assert read(worker) == SENTENCE
    first = child_of(worker)
    assert read(worker, "Lagi.") == "Lagi."
    assert child_of(worker) == first


def test_a_child_that_was_killed_between_files_is_started_anew(worker):
    read(worker)
    first = child_of(worker)
    os.kill(first, signal.SIGKILL)
    assert read(worker) == SENTENCE
    assert child_of(worker) != first


@pytest.mark.slow("starts child processes, and waits for their limits")
def test_a_child_that_is_killed_over_a_file_is_followed_by_one_that_reads_it(worker):
    read(worker)
    first = child_of(worker)
    threading.Timer(0.3, os.kill, (first, signal.SIGKILL)).start()
    assert len(worker.extract(LONG, ".pdf").pages) == 4000
    assert child_of(worker) != first


def test_what_a_used_child_cannot_read_is_given_to_a_new_one(worker, monkeypatch):
    assert read(worker) == SENTENCE
    first, asked = child_of(worker), worker._answer
    answers = iter([wire.packed(SeedError("it cannot be read", "fix it"))])
    monkeypatch.setattr(worker, "_answer", lambda raw, suffix: next(answers, None) or asked(raw, suffix))
    assert read(worker) == SENTENCE
    assert child_of(worker) != first


def test_what_a_new_child_cannot_read_is_refused(worker, monkeypatch):
    answers = iter([wire.packed(SeedError("it cannot be read", "fix it"))])
    monkeypatch.setattr(worker, "_answer", lambda *_: next(answers))
    with pytest.raises(SeedError, match="it cannot be read"):
        read(worker)


def test_a_file_that_breaks_two_children_is_refused_and_the_next_is_read(worker):
    read(worker)
    with pytest.raises(SeedError, match=r"reading it crashed, or needed more than 2 GB; split it"):
        worker.extract(deep_odt(), ".odt")
    assert read(worker) == SENTENCE


# In a process of its own: Ctrl-C is a whole process's, and a runner in the background hands down an ignored one.
_INTERRUPTED = """
import os, signal, threading
from rag.ingestion import wire
from rag.ingestion.worker import Worker
from tests.ingestion.test_worker import LONG, SENTENCE, read

signal.signal(signal.SIGINT, signal.default_int_handler)
worker = Worker()
assert read(worker) == SENTENCE
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    worker.extract(LONG, ".pdf")
except KeyboardInterrupt:
    assert read(worker) == SENTENCE
    print("went on")
"""


@pytest.mark.slow("starts child processes, and waits for their limits")
def test_an_interrupted_file_does_not_answer_for_the_next():
    run = subprocess.run([sys.executable, "-c", _INTERRUPTED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr, run.returncode) == ("went on\n", "", 0)


def test_the_child_stands_outside_of_ctrl_c(worker):
    read(worker)
    pid = child_of(worker)
    assert os.getpgid(pid) != os.getpgid(0)
    os.kill(pid, signal.SIGINT)
    assert read(worker) == SENTENCE
    assert child_of(worker) == pid


def test_what_the_child_writes_lies_in_its_own_folder_and_goes_with_it(worker, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    worker.extract(makers.pdf([[SENTENCE]]), ".pdf")
    assert worker._child is not None
    assert [str(path) for path in tmp_path.iterdir()] == [worker._child.folder]
    assert Path(worker._child.folder).stat().st_mode & 0o777 == 0o700
    worker.close()
    assert list(tmp_path.iterdir()) == []


def test_without_a_temporary_folder_there_is_one_line(worker, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    with pytest.raises(StorageError, match=r"no temporary folder can be made .*; set TMPDIR"):
        read(worker)


def test_threads_share_a_child(worker):
    words = [f"Kalimat nomor {number}." for number in range(24)]
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(lambda text: read(worker, text), words)) == words


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_has_a_child_of_its_own():
    from rag.ingestion.worker import shared

    read(shared)
    first = child_of(shared)
    if not (pid := os.fork()):
        os._exit(0 if read(shared) == SENTENCE and child_of(shared) != first else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert read(shared) == SENTENCE
    assert child_of(shared) == first


ORPHANING = """
import sys
from rag.ingestion import wire
from rag.ingestion.worker import Worker
from tests.ingestion import makers
from tests.ingestion.test_hostile import deep_odt
worker = Worker()
worker.extract(makers.pdf([["Kata."]]), ".pdf")
print(worker._child.popen.pid, worker._child.folder, flush=True)
if sys.argv[1] == "busy":
    worker.extract(makers.pdf([["Kata kata kata."] * 40] * 8000), ".pdf")
else:
    sys.stdin.read()
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
@pytest.mark.slow("starts child processes, and waits for their limits")
def test_a_parent_that_is_killed_leaves_no_orphan(state):
    with subprocess.Popen(
        [sys.executable, "-c", ORPHANING, state], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child, folder = parent.stdout.readline().split()
        time.sleep(0.8 if state == "busy" else 0)
        parent.kill()
        assert gone(int(child))
        assert not Path(folder).exists()


@pytest.mark.slow("starts child processes, and waits for their limits")
def test_a_mail_in_an_undeclared_legacy_encoding_is_read_within_the_limits(worker):
    """Its language is needed to tell the encoding, and the language model is unpacked to the disk for that."""
    body = "Señor Müller está en la estación de autobuses. Der Präsident spräche über Größe.".encode("cp1252")
    raw = b"Subject: caf\xe9\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + body + b"\r\n"
    assert "Müller" in worker.extract(raw, ".eml").text
