"""Metrics for Prometheus. Label values come from small fixed sets, and nothing contains a question or a document.

The only importer of prometheus_client. Each application has a registry of its own. Litestar's plugin is not used: it has one
registry for the process, does not see requests without a route, and labels requests in progress with a status.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from rag import __version__
from rag.engine import Engine
from rag.errors import SnapshotError
from rag.types import Answer
from rag.web.admission import Admission
from rag.web.rebuilding import DONE, FAILED, RUNNING, WAITING, Rebuilds
from rag.web.telemetry.tracing import STAGES

# Prometheus' text format; Litestar adds the charset.
TEXT = "text/plain; version=0.0.4"
# Seconds: from a search to an answer on a slow machine behind a full queue.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# How a question ends. Refused: the documents do not answer it. Unsupported: no passage supported any sentence of the answer.
ANSWERED, REFUSED, UNSUPPORTED, STOPPED, FAILED_QUESTION = OUTCOMES = (
    "answered",
    "refused",
    "unsupported",
    "stopped",
    "failed",
)


class Metrics:
    """The metrics of one application. Safe to use from several threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Histogram(
            "rag_request_duration_seconds",
            "Time from a request to the end of its response; status 0: the client disconnected before the response started",
            ("method", "route", "status"),
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self._stages = Histogram(
            "rag_stage_duration_seconds",
            "Time of a stage of an answer",
            ("stage",),
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self._questions = Counter(
            "rag_questions",
            "Questions that were searched for, by how they ended",
            ("outcome",),
            registry=self.registry,
        )
        self._tokens = Counter("rag_tokens_written", "Tokens that the model wrote", registry=self.registry)
        self._dropped = Counter(
            "rag_sentences_dropped", "Sentences that no passage supports, which were left out", registry=self.registry
        )
        self._cut = Counter("rag_answers_cut", "Answers that reached the limit of tokens", registry=self.registry)
        self._hits = Counter("rag_store_hits", "Passages whose state was in the store", registry=self.registry)
        self._misses = Counter("rag_store_misses", "Passages that the model had to read", registry=self.registry)
        self._turned_away = Counter(
            "rag_connections_turned_away", "Connections refused over the limit (503)", registry=self.registry
        )
        # A series must be there from the start, with 0: a rate cannot be taken of one that appears with its first count.
        for stage in STAGES:
            self._stages.labels(stage)
        for outcome in OUTCOMES:
            self._questions.labels(outcome)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that has ended. `route` is its path template, `seconds` its duration."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status)).observe(seconds)

    def token(self) -> None:
        """Count a token of an answer."""
        self._tokens.inc()

    def stage(self, name: str, seconds: float) -> None:
        """Record the duration of a stage in seconds."""
        if name in STAGES:
            self._stages.labels(name).observe(seconds)

    def question(self, outcome: str) -> None:
        """Count a question that has ended; `outcome` is one of OUTCOMES."""
        self._questions.labels(outcome).inc()

    def answer(self, answer: Answer) -> None:
        """Count a question that ended with an answer or a refusal."""
        outcome = ANSWERED if answer.answered else UNSUPPORTED if answer.dropped else REFUSED
        self.question(outcome)
        self._dropped.inc(len(answer.dropped))
        self._cut.inc(answer.cut)
        self._hits.inc(answer.receipt.stored)
        self._misses.inc(answer.receipt.read)

    def turned_away(self) -> None:
        """Count a connection over the limit."""
        self._turned_away.inc()

    def exposition(self) -> str:
        """All metrics in Prometheus' text format (`TEXT`)."""
        return generate_latest(self.registry).decode()

    def look_at(self, engine: Engine, admission: Admission, rebuilds: Rebuilds) -> None:
        """Also report the queue, the rebuilds and the snapshot, as they are whenever the metrics are read."""
        self.registry.register(_State(engine, admission, rebuilds))


class _State(Collector):
    """Metrics that are read from the application's state when they are wanted."""

    def __init__(self, engine: Engine, admission: Admission, rebuilds: Rebuilds) -> None:
        self._engine, self._admission, self._rebuilds = engine, admission, rebuilds

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering does not call `collect` to look for duplicate names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("rag_build", "The version of rag", {"version": __version__})
        yield GaugeMetricFamily("rag_queue_length", "Questions that use the model or wait for it", self._admission.length)
        yield GaugeMetricFamily("rag_queue_places", "The most that rag_queue_length can be", self._admission.places)
        yield from self._jobs()
        yield from self._snapshot()

    def _jobs(self) -> Iterator[Metric]:
        ended = CounterMetricFamily("rag_rebuilds", "Rebuilds that have ended", labels=("state",))
        for state in (DONE, FAILED):
            ended.add_metric((state,), self._rebuilds.ended[state])
        yield ended
        at_work = sum(job.state in {WAITING, RUNNING} for job in self._rebuilds.recent())
        yield GaugeMetricFamily("rag_rebuilds_at_work", "Rebuilds that run or wait", at_work)

    def _snapshot(self) -> Iterator[Metric]:
        """Nothing where there is no index: an age of 0 would be wrong."""
        try:
            manifest = self._engine.manifest()
        except (SnapshotError, OSError):
            return
        age = (datetime.now(UTC) - datetime.fromisoformat(manifest.created)).total_seconds()
        yield GaugeMetricFamily("rag_snapshot_age_seconds", "Age of the snapshot that serves", max(0.0, age))
        yield GaugeMetricFamily("rag_snapshot_documents", "Documents in the snapshot that serves", manifest.documents)
        yield GaugeMetricFamily("rag_snapshot_chunks", "Chunks in the snapshot that serves", manifest.chunks)
