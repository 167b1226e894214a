"""Rebuilds of the index, each in a process of low priority: one runs, one more waits. Knows nothing of HTTP."""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections import Counter, OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock, Thread
from typing import IO, Any

from rag import settings as configuration
from rag.errors import JobFailed, RagError
from rag.indexing.build import BuildReport
from rag.settings import Settings

# Added to the niceness of a rebuild: it gets about a tenth of a processor that answers want too.
_NICE = 10
# Jobs that are remembered.
_KEPT = 100
# Seconds between SIGTERM and SIGKILL when the service stops.
_GRACE = 5
# Characters at the end of a process' standard error in which its error message is looked for.
_MOST_STDERR = 10_000
_AGAIN = "start it again: what was embedded is kept"
COMMAND = (sys.executable, "-m", "rag")

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """A rebuild. Of `stage` (waiting, reading or embedding), `done` of `total` are done; `error` is why it failed."""

    id: str
    anew: bool
    state: str
    stage: str = ""
    done: int = 0
    total: int = 0
    report: BuildReport | None = None
    error: RagError | None = None

    @property
    def ended(self) -> bool:
        """Whether the job will not change any more."""
        return self.state in {DONE, FAILED}


class Rebuilds:
    """The rebuilds of one home. Safe to use from several threads. `ended` counts the jobs that are done and that failed."""

    def __init__(self, settings: Settings, command: Sequence[str] = COMMAND) -> None:
        """`command` runs `rag`; tests give another."""
        self._command = tuple(command)
        self._environment = {**os.environ, **configuration.environment(settings)}
        self.ended: Counter[str] = Counter()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread: Thread | None = None
        self._closed = False

    def start(self, *, anew: bool = False) -> Job:
        """The job that will read the seeds as they are now: the one that waits, else a new one."""
        with self._lock:
            waiting = next((job for job in self._jobs.values() if job.state == WAITING), None)
            if waiting:
                return self._keep(replace(waiting, anew=waiting.anew or anew))
            job = self._keep(Job(secrets.token_hex(6), anew, WAITING))
            if self._thread is None:
                self._thread = Thread(target=self._work, name="rebuilds", daemon=True)
                self._thread.start()
            return job

    def get(self, job_id: str) -> Job | None:
        """The job of this id; None where there is none."""
        with self._lock:
            return self._jobs.get(job_id)

    def recent(self) -> list[Job]:
        """The jobs that are remembered, newest first."""
        with self._lock:
            return list(reversed(self._jobs.values()))

    def close(self) -> None:
        """Stop the running rebuild, and start no more. What it has embedded is kept for the next one."""
        with self._lock:
            self._closed = True
            process, thread = self._process, self._thread
        if process:
            _end(process)
        if thread:
            thread.join()

    def _keep(self, job: Job) -> Job:
        self._jobs[job.id] = job
        while len(self._jobs) > _KEPT:
            self._jobs.popitem(last=False)
        return job

    def _change(self, job: Job) -> Job:
        with self._lock:
            self.ended[job.state] += job.ended
            return self._keep(job)

    def _work(self) -> None:
        """Run one waiting job after the other, until there is none."""
        while job := self._next():
            try:
                self._change(self._run(job))
            except Exception as error:  # noqa: BLE001 - whatever it is, this job failed, and the next may run
                self._change(replace(job, state=FAILED, error=JobFailed(f"the rebuild could not be run ({error})", _AGAIN)))

    def _next(self) -> Job | None:
        with self._lock:
            waiting = next((job for job in self._jobs.values() if job.state == WAITING), None)
            if waiting is None or self._closed:
                self._thread = None
                return None
            return self._keep(replace(waiting, state=RUNNING))

    def _run(self, job: Job) -> Job:
        """The job after its process has ended."""
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stderr:
            process = self._start_process(job, stderr)
            try:
                job = self._follow(job, process)
                code = process.wait()
            except BaseException:
                _end(process)
                raise
            finally:
                with self._lock:
                    self._process = None
            return replace(job, state=DONE) if job.report else replace(job, state=FAILED, error=_error(code, stderr))

    def _follow(self, job: Job, process: subprocess.Popen[str]) -> Job:
        """Update the job by each line of its process, until the last; returns the job then."""
        assert process.stdout
        with process.stdout:
            for line in process.stdout:
                job = self._change(_updated(job, line))
        return job

    def _start_process(self, job: Job, stderr: IO[str]) -> subprocess.Popen[str]:
        arguments = ("index", "--progress", *(("--rebuild",) if job.anew else ()))
        with self._lock:
            if self._closed:
                raise JobFailed("the service is stopping", "start the rebuild again once it has restarted")
            process = self._process = subprocess.Popen(
                (*self._command, *arguments),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                encoding="utf-8",
                errors="replace",
                # A process group of its own, so that the processes which read documents for it end with it.
                start_new_session=True,
            )
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, process.pid, min(19, os.getpriority(os.PRIO_PROCESS, 0) + _NICE))
        return process


def _updated(job: Job, line: str) -> Job:
    """The job after a line of JSON of its process: a step, or the report."""
    value: dict[str, Any] = json.loads(line)
    if report := value.get("report"):
        fields: dict[str, Any] = {name: tuple(item) if isinstance(item, list) else item for name, item in report.items()}
        return replace(job, report=BuildReport(**fields))
    return replace(job, stage=value["stage"], done=value["done"], total=value["total"])


def _error(code: int, stderr: IO[str]) -> RagError:
    """Why the process failed: the kind of error that has its exit code, with the message it printed last."""
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return JobFailed(f"the rebuild was ended by {name}", _AGAIN)
    stderr.seek(0)
    lines = [line for line in stderr.read()[-_MOST_STDERR:].splitlines() if line.startswith("rag: ")]
    kind = next((kind for kind in RagError.__subclasses__() if kind.exit_code == code), JobFailed)
    problem, _, hint = lines[-1].removeprefix("rag: ").rpartition("; ") if lines else ("", "", "")
    return kind(problem or f"the rebuild ended with exit code {code}", hint or _AGAIN)


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and the processes that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
