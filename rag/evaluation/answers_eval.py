"""Asks questions as a user would, and the plain way beside it, and notes what becomes of each. All that is impure is here.

How good answers are: the whole product over a data set's questions, and the plain way beside it. Joins the parts.
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

Told = Callable[[int, int], None]


class PlainWay(Protocol):
    """Answers from all passages at once, in one prompt."""

    def reply(self, question: str, passages: Sequence[str], phrases: Phrases) -> Generator[str, None, bool]:
        """The reply, piece by piece, as the model writes it, with the labels it chooses; returns whether it is cut."""

    def understood(self, reply: str, phrases: Phrases) -> tuple[str | None, list[int]]:
        """The answer without labels, None for a refusal; and the labels, from 1, in order."""


def sample(questions: Sequence[JudgedQuestion], count: int | None) -> list[JudgedQuestion]:
    """`count` of the questions, always the same, and among them those of any lower count; all where it is None."""
    return sorted(questions, key=lambda question: hashlib.sha256(question.id.encode()).digest())[:count]


def ask_all(questions: Sequence[JudgedQuestion], corpus: IndexedCorpus, ledger: Ledger, told: Told) -> None:
    """Ask those that the ledger does not have. `told` hears how many of how many are done."""
    for done, question in enumerate(questions):
        told(done, len(questions))
        if question.id not in ledger.outcomes["rag"]:
            ledger.append("rag", ask(question, corpus))
    told(len(questions), len(questions))


def ask_all_plainly(
    questions: Sequence[JudgedQuestion],
    passages: Mapping[str, str],
    ledger: Ledger,
    *,
    open_plain: Callable[[], PlainWay],
    phrases: Callable[[str], Phrases],
    told: Told,
) -> None:
    """Ask those that the ledger does not have in the plain way, of the chunks that were found for them before."""
    if all(question.id in ledger.outcomes["plain"] for question in questions):
        return
    plain = open_plain()
    for done, question in enumerate(questions):
        told(done, len(questions))
        if question.id not in ledger.outcomes["plain"]:
            found = ledger.outcomes["rag"][question.id].found
            ledger.append("plain", ask_plainly(question, found, passages, plain, phrases(question.language)))
    told(len(questions), len(questions))


def ask(question: JudgedQuestion, corpus: IndexedCorpus) -> Outcome:
    """Ask as a user does. Raises what `Engine.ask` raises."""
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
    """Ask in the plain way, of the chunks found. Its seconds begin after the search, which is the same for both ways."""
    shown = [passages[one.passage][one.start : one.end] for one in found]
    reply, seconds, cut = _heard(plain.reply(question.text, shown, phrases))
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


def _heard(pieces: Generator[str, None, bool]) -> tuple[str, Seconds, bool]:
    """All that is said, when it began and ended, and whether it is cut."""
    start, first, reply = time.perf_counter(), None, ""
    while True:
        try:
            piece = next(pieces)
        except StopIteration as ended:
            return reply, Seconds(None, None, first, time.perf_counter() - start), ended.value
        first = first or time.perf_counter() - start
        reply += piece


class _Watch:
    """Sees the events of an answer: when the first of each kind came, and which passages were found."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._laps: dict[str, float] = {}
        self.passages: tuple[Passage, ...] = ()

    def __call__(self, event: Event) -> None:
        self._laps.setdefault(type(event).__name__, time.perf_counter() - self._start)
        if isinstance(event, Found):
            self.passages = event.passages

    def seconds(self) -> Seconds:
        """When what came came; an answer that was watched to its end has one."""
        found, marked, token = (self._laps.get(kind.__name__) for kind in (Found, Marked, Token))
        return Seconds(found, marked, token, self._laps[Answer.__name__])


def _place(where: Passage | Citation, corpus: IndexedCorpus) -> Place:
    return Place(corpus.ids[where.path], where.start, where.end)


def _stands(citation: Citation, corpus: IndexedCorpus) -> bool:
    """Whether the cited words stand there in the stored original: looked up here, whatever the answer says of itself."""
    document = corpus.engine.snapshot().document(citation.document_id)
    there = document.text[citation.start : citation.end] if document and document.path == citation.path else ""
    return bool(there) and there == citation.text


def _language(said: str, question: JudgedQuestion) -> str:
    """That of what was said; of two near languages the question's, for an answer may be no more than a name."""
    return language.detect(said, leaning=[question.language])


@dataclass(frozen=True, slots=True)
class Choice:
    """How many questions of each kind are asked, and how many of those in the plain way too; None for all, 0 for none."""

    each: int | None
    plain: int


@dataclass(frozen=True, slots=True)
class AnswerEvaluation:
    """The product over all questions and by language; `plain` beside it on those that were asked in both ways.

    `threshold` is the confidence under which it refused, `curve` what another one would do.
    """

    run: Run
    passages: int
    left_out: int
    threshold: float
    groups: tuple[Group, ...]
    curve: tuple[Point, ...]
    plain: tuple[Beside, ...]


def run_of(engine: Engine, corpus: Path, questions: Path) -> Run:
    """What the outcomes depend on. Raises WeightsError or PromptError."""
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
    told: Told = lambda _done, _total: None,
) -> AnswerEvaluation:
    """Ask what the ledger does not have, then measure. `told` hears how many of how many questions are done, way by way."""
    chosen = _chosen(data, choice.each)
    plainly = _chosen(data, min(choice.plain, choice.each or choice.plain))
    texts = {passage.id: passage.text for passage in data.passages}
    ask_all(chosen, corpus, ledger, told)
    phrases = corpus.engine.models.prompts.phrases
    ask_all_plainly(plainly, texts, ledger, open_plain=open_plain, phrases=phrases, told=told)
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
    """Both kinds mixed, so that a run that is stopped early has asked some of each."""
    kinds = sample(data.answerable, each), sample(data.unanswerable, each)
    return sample([question for kind in kinds for question in kind], None)
