"""`rag eval answers`: asks the questions of a data set as a user would, records the outcomes, and measures them.

The same questions can be asked in the plain way, a baseline that puts all passages into one prompt. Outcomes are kept in a
ledger, so an interrupted run is resumed. The measures themselves are in `answer_measures`.
"""

import hashlib
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from rag import language
from rag.answering.prompt import Phrases
from rag.engine import Engine, whole
from rag.evaluation import answer_measures, outcomes
from rag.evaluation.answer_measures import Beside, Group, Point
from rag.evaluation.dataset import AskedData, IndexedCorpus, JudgedQuestion
from rag.evaluation.outcomes import Asked, Cited, Ledger, Outcome, Place, Run, Seconds, Way
from rag.files import sha256_file
from rag.types import Answer, Citation, Event, Found, Marked, Passage, Token

# Called with the number of questions done, and of all.
Progress = Callable[[int, int], None]


class PlainWay(Protocol):
    """The baseline: answers from all passages in one prompt."""

    def reply(self, question: str, passages: Sequence[str], phrases: Phrases) -> Generator[str, None, bool]:
        """Yields the reply piece by piece, with the labels that the model chooses. Returns whether it was cut off."""

    def understood(self, reply: str, phrases: Phrases) -> tuple[str | None, list[int]]:
        """The answer without labels, or None for a refusal; and the labels in order, numbered from 1."""


def sample(questions: Sequence[JudgedQuestion], count: int | None) -> list[JudgedQuestion]:
    """`count` of the questions, or all for None. Always the same ones; a larger sample contains the smaller ones."""
    return sorted(questions, key=lambda question: hashlib.sha256(question.id.encode()).digest())[:count]


def ask_all(questions: Sequence[JudgedQuestion], corpus: IndexedCorpus, ledger: Ledger, progress: Progress) -> None:
    """Ask the questions that the ledger does not have."""
    for done, question in enumerate(questions):
        progress(done, len(questions))
        if question.id not in ledger.outcomes["rag"]:
            ledger.append("rag", ask(question, corpus))
    progress(len(questions), len(questions))


def ask_all_plainly(
    questions: Sequence[JudgedQuestion],
    passages: Mapping[str, str],
    ledger: Ledger,
    *,
    open_plain: Callable[[], PlainWay],
    phrases: Callable[[str], Phrases],
    progress: Progress,
) -> None:
    """Ask the questions that the ledger does not have in the plain way, with the chunks that the product found for them."""
    if all(question.id in ledger.outcomes["plain"] for question in questions):
        return
    plain = open_plain()
    for done, question in enumerate(questions):
        progress(done, len(questions))
        if question.id not in ledger.outcomes["plain"]:
            found = ledger.outcomes["rag"][question.id].found
            ledger.append("plain", ask_plainly(question, found, passages, plain, phrases(question.language)))
    progress(len(questions), len(questions))


def ask(question: JudgedQuestion, corpus: IndexedCorpus) -> Outcome:
    """Ask the product, as a user does. Raises as `Engine.ask` does."""
    watch = _Watch()
    answer = whole(corpus.engine.stream(question.text), watch)
    said = " ".join(sentence.text for sentence in answer.sentences)
    return Outcome(
        question=question.id,
        answered=answer.answered,
        text=said,
        language=_language(said, question),
        confidence=answer.confidence,
        found=tuple(_place(passage, corpus) for passage in watch.passages),
        citations=tuple(Cited(_place(one, corpus), _stands(one, corpus)) for one in answer.citations),
        written=len(answer.sentences) + len(answer.dropped),
        dropped=len(answer.dropped),
        seconds=watch.seconds(),
        cut=answer.cut,
    )


def ask_plainly(
    question: JudgedQuestion, found: Sequence[Place], passages: Mapping[str, str], plain: PlainWay, phrases: Phrases
) -> Outcome:
    """Ask in the plain way, with the chunks that were found. Its seconds start after the search, which both ways share."""
    shown = [passages[one.passage][one.start : one.end] for one in found]
    reply, seconds, cut = _collected(plain.reply(question.text, shown, phrases))
    said, labels = plain.understood(reply, phrases)
    named = [found[label - 1] if 1 <= label <= len(found) else None for label in labels]
    return Outcome(
        question=question.id,
        answered=said is not None,
        text=said or "",
        language=_language(said or "", question),
        confidence=None,
        found=tuple(found),
        citations=tuple(Cited(place, None) for place in named) if said is not None else (),
        written=0,
        dropped=0,
        seconds=seconds,
        cut=cut,
    )


def _collected(pieces: Generator[str, None, bool]) -> tuple[str, Seconds, bool]:
    """The whole reply, its times, and whether it was cut off."""
    start, first, reply = time.perf_counter(), None, ""
    while True:
        try:
            piece = next(pieces)
        except StopIteration as ended:
            return reply, Seconds(None, None, first, time.perf_counter() - start), ended.value
        first = first or time.perf_counter() - start
        reply += piece


class _Watch:
    """Records the events of an answer: the time of the first of each kind, and the passages found."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._laps: dict[str, float] = {}
        self.passages: tuple[Passage, ...] = ()

    def __call__(self, event: Event) -> None:
        self._laps.setdefault(type(event).__name__, time.perf_counter() - self._start)
        if isinstance(event, Found):
            self.passages = event.passages

    def seconds(self) -> Seconds:
        """The times of the events. The answer must be complete."""
        found, marked, token = (self._laps.get(kind.__name__) for kind in (Found, Marked, Token))
        return Seconds(found, marked, token, self._laps[Answer.__name__])


def _place(where: Passage | Citation, corpus: IndexedCorpus) -> Place:
    return Place(corpus.ids[where.path], where.start, where.end)


def _stands(citation: Citation, corpus: IndexedCorpus) -> bool:
    """Whether the stored original has the cited words at the cited place. Checked here, independent of the product."""
    document = corpus.engine.snapshot().document(citation.document_id)
    there = document.text[citation.start : citation.end] if document and document.path == citation.path else ""
    return bool(there) and there == citation.text


def _language(said: str, question: JudgedQuestion) -> str:
    """The language of the text; of two similar languages that of the question, since an answer may be only a name."""
    return language.detect(said, leaning=[question.language])


@dataclass(frozen=True, slots=True)
class Choice:
    """How many questions of each kind to ask (None for all), and how many of them also in the plain way."""

    each: int | None
    plain: int


@dataclass(frozen=True, slots=True)
class AnswerEvaluation:
    """`groups` are the product's results over all questions and by language; `plain` compares both ways on the same questions.

    `threshold` is the confidence below which the product refused; `curve` has the results of other thresholds.
    """

    run: Run
    passages: int
    left_out: int
    threshold: float
    groups: tuple[Group, ...]
    curve: tuple[Point, ...]
    plain: tuple[Beside, ...]


def run_of(engine: Engine, corpus: Path, questions: Path) -> Run:
    """Everything that the outcomes depend on. Raises WeightsError or PromptError."""
    made = engine.receipt("", "")
    parameters = asdict(made.parameters)
    digests = sha256_file(corpus), sha256_file(questions)
    return Run(*digests, made.version, made.embedder, made.judge, made.llm, made.prompts, parameters)


def evaluate(
    data: AskedData,
    corpus: IndexedCorpus,
    ledger: Ledger,
    choice: Choice,
    *,
    open_plain: Callable[[], PlainWay],
    progress: Progress = lambda _done, _total: None,
) -> AnswerEvaluation:
    """Ask the questions that the ledger does not have, then measure all. `progress` is called for each way."""
    chosen = _chosen(data, choice.each)
    plainly = _chosen(data, min(choice.plain, choice.each or choice.plain))
    texts = {passage.id: passage.text for passage in data.passages}
    ask_all(chosen, corpus, ledger, progress)
    phrases = corpus.engine.models.prompts.phrases
    ask_all_plainly(plainly, texts, ledger, open_plain=open_plain, phrases=phrases, progress=progress)
    answerable = {question.id for question in data.answerable}

    def asked(questions: Iterable[JudgedQuestion], way: Way) -> Sequence[Asked]:
        done = ledger.outcomes[way]
        return [Asked(one, one.id in answerable, outcomes.evidence_of(one, texts), done[one.id]) for one in questions]

    threshold = corpus.engine.settings.min_confidence
    product = asked(chosen, "rag")
    return AnswerEvaluation(
        run=ledger.run,
        passages=len(texts),
        left_out=data.left_out,
        threshold=threshold,
        groups=answer_measures.measure(product),
        curve=answer_measures.curve(product, threshold),
        plain=answer_measures.compare(asked(plainly, "plain"), asked(plainly, "rag")) if plainly else (),
    )


def _chosen(data: AskedData, each: int | None) -> list[JudgedQuestion]:
    """Both kinds mixed, so that an interrupted run has asked some of each."""
    kinds = sample(data.answerable, each), sample(data.unanswerable, each)
    return sample([question for kind in kinds for question in kind], None)
