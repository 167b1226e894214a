import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag.errors import JobFailed, SeedError
from rag.settings import Settings
from rag.web import rebuilding
from rag.web.rebuilding import Job, Rebuilds
from tests.web.conftest import script, until

REPORT = """
report = dict(snapshot="s", added=["a.txt"], changed=[], removed=[], kept=[], unchanged=0, chunks=1, embedded=1, failures=[])
emit(report={**report, "seconds": 0.5})
"""
# Goes on only when the test says so.
HELD = "emit(stage='reading', done=1, total=2)\nwhile not os.path.exists(sys.argv[0] + '.go'): time.sleep(0.02)\n"

Making = Callable[[str], Rebuilds]


@pytest.fixture
def making(tmp_path: Path) -> Iterator[Making]:
    made: list[Rebuilds] = []

    def make(text: str) -> Rebuilds:
        made.append(Rebuilds(Settings(home=tmp_path), script(tmp_path / "rag.py", text)))
        return made[-1]

    yield make
    for rebuilds in made:
        rebuilds.close()


def go(tmp_path: Path) -> None:
    (tmp_path / "rag.py.go").touch()


def now(rebuilds: Rebuilds, job: Job) -> Job:
    known = rebuilds.get(job.id)
    assert known
    return known


def ended(rebuilds: Rebuilds, job: Job) -> Job:
    until(lambda: now(rebuilds, job).ended)
    return now(rebuilds, job)


def running(rebuilds: Rebuilds, job: Job) -> int:
    """The process of a job that has reported its first step."""
    until(lambda: now(rebuilds, job).stage)
    assert rebuilds._process
    return rebuilds._process.pid


def test_a_job_reports_its_steps_and_ends_with_its_report(making: Making, tmp_path: Path) -> None:
    rebuilds = making(HELD + REPORT)
    job = rebuilds.start()
    running(rebuilds, job)
    written = now(rebuilds, job)
    assert (written.state, written.stage, written.done, written.total) == ("running", "reading", 1, 2)
    go(tmp_path)
    done = ended(rebuilds, job)
    assert (done.state, done.error) == ("done", None)
    assert done.report
    assert done.report.added == ("a.txt",)


def test_the_process_gets_the_settings_and_a_low_priority(making: Making, tmp_path: Path) -> None:
    written = "time.sleep(0.1)\nopen(sys.argv[0] + '.said', 'w').write(os.environ['RAG_HOME'] + ' '.join(sys.argv[1:]))\n"
    rebuilds = making(HELD + written + REPORT)
    pid = running(rebuilds, rebuilds.start(anew=True))
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
    go(tmp_path)
    until((tmp_path / "rag.py.said").exists)
    until((tmp_path / "rag.py.said").read_text)
    assert (tmp_path / "rag.py.said").read_text() == f"{tmp_path}index --progress --rebuild"


def test_one_runs_and_one_waits_which_the_others_join(making: Making, tmp_path: Path) -> None:
    rebuilds = making(HELD + REPORT)
    first = rebuilds.start()
    running(rebuilds, first)
    second, third, fourth = rebuilds.start(), rebuilds.start(anew=True), rebuilds.start()
    assert second.id == third.id == fourth.id != first.id
    assert (second.state, second.anew, fourth.anew) == ("waiting", False, True)
    assert [job.id for job in rebuilds.recent()] == [second.id, first.id]
    go(tmp_path)
    assert ended(rebuilds, first).state == "done"
    assert ended(rebuilds, second).state == "done"
    after = rebuilds.start()
    assert after.id != second.id
    assert ended(rebuilds, after).state == "done"


def test_a_process_that_is_killed_is_a_failed_job_and_the_next_one_runs(making: Making, tmp_path: Path) -> None:
    rebuilds = making(HELD + REPORT)
    first = rebuilds.start()
    pid = running(rebuilds, first)
    second = rebuilds.start()
    os.kill(pid, signal.SIGKILL)
    failed = ended(rebuilds, first)
    assert failed.state == "failed"
    assert isinstance(failed.error, JobFailed)
    assert "SIGKILL" in failed.error.problem
    assert failed.error.hint
    go(tmp_path)
    assert ended(rebuilds, second).state == "done"


def test_an_error_of_the_process_is_the_jobs(making: Making) -> None:
    text = "print('a warning', file=sys.stderr)\nprint('rag: no document; in a; put one in', file=sys.stderr)\nsys.exit(3)\n"
    rebuilds = making(text)
    failed = ended(rebuilds, rebuilds.start())
    assert isinstance(failed.error, SeedError)
    assert (failed.error.problem, failed.error.hint) == ("no document; in a", "put one in")


@pytest.mark.parametrize("text", ["sys.exit(0)", "sys.exit(77)", "print('no JSON', flush=True)\ntime.sleep(600)", "emit(x=3)"])
def test_a_process_that_says_nothing_of_use_is_a_failed_job(making: Making, text: str) -> None:
    rebuilds = making(text)
    failed = ended(rebuilds, rebuilds.start())
    assert (failed.state, type(failed.error)) == ("failed", JobFailed)


def test_a_program_that_is_not_there_is_a_failed_job(tmp_path: Path) -> None:
    rebuilds = Rebuilds(Settings(home=tmp_path), [str(tmp_path / "nothing")])
    failed = ended(rebuilds, rebuilds.start())
    assert isinstance(failed.error, JobFailed)
    assert "No such file" in failed.error.problem


def test_closing_ends_the_process_with_those_it_started(making: Making, tmp_path: Path) -> None:
    rebuilds = making("import subprocess\nsubprocess.Popen(['sleep', '1000'])\n" + HELD)
    job = rebuilds.start()
    pid = running(rebuilds, job)
    rebuilds.close()
    assert now(rebuilds, job).state == "failed"

    def gone() -> bool:
        try:
            os.killpg(pid, 0)
        except ProcessLookupError:
            return True
        return False

    until(gone)


def test_old_jobs_are_forgotten(making: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "_KEPT", 2)
    rebuilds = making(REPORT)
    jobs = [ended(rebuilds, rebuilds.start()) for _ in range(3)]
    assert rebuilds.get(jobs[0].id) is None
    assert [job.id for job in rebuilds.recent()] == [jobs[2].id, jobs[1].id]
