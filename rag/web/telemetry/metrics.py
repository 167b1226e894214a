"""What the service counts, for Prometheus. Values of labels are of small fixed sets, and nothing says what was asked.

The only importer of prometheus_client. Each application has a registry of its own: litestar's plugin counts in one for the
whole process, sees no request that has no route, and adds a label of the status to what is under way.
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

# Prometheus' text format; litestar adds the charset to what is text.
TEXT = "text/plain; version=0.0.4"
# Seconds, from a search to an answer of a slow machine behind a full line.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# What becomes of a question. Refused: the documents do not answer it; unsupported: nothing that was written held.
ANSWERED, REFUSED, UNSUPPORTED, STOPPED, FAILED_QUESTION = OUTCOMES = (
    "answered",
    "refused",
    "unsupported",
    "stopped",
    "failed",
)


class Metrics:
    """The counts of one application. Safe to use from several threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Histogram(
            "rag_request_duration_seconds",
            "From a request to the end of its reply",
            ("method", "route", "status"),
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self._stages = Histogram(
            "rag_stage_duration_seconds", "Stages of answers", ("stage",), registry=self.registry, buckets=_BUCKETS
        )
        self._questions = Counter(
            "rag_questions",
            "Questions for which passages were found, by what became of them",
            ("outcome",),
            registry=self.registry,
        )
        self._tokens = Counter("rag_tokens_written", "Pieces of answers as the model wrote them", registry=self.registry)
        self._dropped = Counter(
            "rag_sentences_dropped", "Sentences that nothing supports, and that were not shown", registry=self.registry
        )
        self._cut = Counter(
            "rag_answers_cut", "Answers that the model was stopped in before it had ended", registry=self.registry
        )
        self._hits = Counter("rag_store_hits", "Passages that the model had read before", registry=self.registry)
        self._misses = Counter("rag_store_misses", "Passages that the model had to read", registry=self.registry)
        self._turned_away = Counter(
            "rag_connections_turned_away", "Connections that there was no place for (HTTP 503)", registry=self.registry
        )
        # What has not happened yet is 0, not absent: then a rate can be taken of it.
        for stage in STAGES:
            self._stages.labels(stage)
        for outcome in OUTCOMES:
            self._questions.labels(outcome)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request that has ended. `route` is the template of its path."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status)).observe(seconds)

    def token(self) -> None:
        """A piece of an answer."""
        self._tokens.inc()

    def stage(self, name: str, seconds: float) -> None:
        """A stage that has ended."""
        if name in STAGES:
            self._stages.labels(name).observe(seconds)

    def question(self, outcome: str) -> None:
        """A question that has ended in one of OUTCOMES."""
        self._questions.labels(outcome).inc()

    def answer(self, answer: Answer) -> None:
        """A question that has an answer or a refusal."""
        outcome = ANSWERED if answer.answered else UNSUPPORTED if answer.dropped else REFUSED
        self.question(outcome)
        self._dropped.inc(len(answer.dropped))
        self._cut.inc(answer.cut)
        self._hits.inc(answer.receipt.stored)
        self._misses.inc(answer.receipt.read)

    def turned_away(self) -> None:
        """A connection more than are kept."""
        self._turned_away.inc()

    def exposition(self) -> str:
        """All of it in Prometheus' text format, `TEXT`."""
        return generate_latest(self.registry).decode()

    def look_at(self, engine: Engine, admission: Admission, rebuilds: Rebuilds) -> None:
        """Report also how these are, each time that somebody asks for the metrics."""
        self.registry.register(_State(engine, admission, rebuilds))


class _State(Collector):
    """What need not be counted, since it can be looked at."""

    def __init__(self, engine: Engine, admission: Admission, rebuilds: Rebuilds) -> None:
        self._engine, self._admission, self._rebuilds = engine, admission, rebuilds

    def describe(self) -> Iterable[Metric]:
        """None: names are not looked for twice, for that would look at everything."""
        return ()

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("rag_build", "The version of rag", {"version": __version__})
        yield GaugeMetricFamily("rag_queue_length", "Questions in the model and before it", self._admission.length)
        yield GaugeMetricFamily("rag_queue_places", "Questions that there is room for", self._admission.places)
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
        """Nothing where there is no index: its age is not 0 then."""
        try:
            manifest = self._engine.manifest()
        except (SnapshotError, OSError):
            return
        age = (datetime.now(UTC) - datetime.fromisoformat(manifest.created)).total_seconds()
        yield GaugeMetricFamily("rag_snapshot_age_seconds", "Since the snapshot that serves was made", max(0.0, age))
        yield GaugeMetricFamily("rag_snapshot_documents", "Documents of the snapshot that serves", manifest.documents)
        yield GaugeMetricFamily("rag_snapshot_chunks", "Chunks of the snapshot that serves", manifest.chunks)
