"""Asks a question again under the conditions of its answer's receipt, and compares the answers."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rag import __version__
from rag.engine import Engine
from rag.errors import AnswerChanged, IndexMismatch, IndexMissing, PromptError, QuestionError, RagError, WeightsError
from rag.models import JUDGES_DIGESTS
from rag.settings import Settings
from rag.types import Answer, Citation, Parameters, Receipt
from rag.weights.catalogue import CATALOGUE

# The position of a passage in the reader's context changes the order of sums, and so log-odds by up to 0.15. With the steepest
# calibration of the catalogue, that is 0.07 of a probability.
_SAME_CONFIDENCE = 0.07
_GIVE = "give what `rag ask --json` wrote"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judge's confidence that the passage at [start, end) of a document answers."""

    document_id: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Record:
    """The parts of an answer that a replay needs. `question` is the question answered: for a follow-up, its rewritten form.

    `verdicts` are those of the passages judged, best first.
    """

    question: str
    text: str
    citations: tuple[Citation, ...]
    verdicts: tuple[Verdict, ...]
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Replay:
    """Whether the new answer has the same text, citations and verdicts as the old one."""

    text: bool
    citations: bool
    verdicts: bool
    answer: Answer

    @property
    def differing(self) -> list[str]:
        """The names of the parts that differ."""
        return [name for name in ("text", "citations", "verdicts") if not getattr(self, name)]


def read(path: Path) -> Record:
    """The record of an answer that `rag ask --json` wrote. Raises QuestionError."""
    try:
        row = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise QuestionError(f"{path} cannot be read ({error})", _GIVE) from error
    try:
        return Record(
            question=_text(row.get("understood_as") or row["question"]),
            text=_text(row["text"]),
            citations=tuple(Citation(**citation) for citation in row["citations"]),
            verdicts=tuple(_verdicts(row["passages"])),
            receipt=_receipt(row["receipt"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise QuestionError(f"{path} is not an answer saved with its receipt ({error})", _GIVE) from error


def settings_of(past: Record, chosen: Settings) -> Settings:
    """The settings `chosen`, with the parameters of the answer. Raises QuestionError if one of these is invalid."""
    wanted = past.receipt.parameters
    return replace(
        chosen,
        passages=wanted.passages,
        min_confidence=wanted.min_confidence,
        unsupported=wanted.unsupported,
        context_tokens=wanted.context_tokens,
        answer_tokens=wanted.answer_tokens,
    )


def lacking(past: Record, engine: Engine) -> Iterator[RagError]:
    """An error for each thing that made the answer and is missing or different now. Raises WeightsError or PromptError."""
    was, now = past.receipt, engine.receipt(past.receipt.snapshot, past.receipt.parameters.where)
    if was.snapshot not in {manifest.id for manifest in engine.snapshots()}:
        hint = "it cannot be restored: ask again on the current index"
        yield IndexMissing(f"the snapshot {was.snapshot} that answered no longer exists", hint)
    kinds: dict[str, type[RagError]] = {"embedder": IndexMismatch, "judge": WeightsError, "llm": WeightsError}
    for kind, error in kinds.items():
        made, here = _name(getattr(was, kind)), _name(getattr(now, kind))
        if made != here:
            yield error(f"the {kind} is {here}, and the answer was made with {made}", f"set RAG_{kind.upper()} to that one")
    if was.prompts != now.prompts:
        yield PromptError("the prompts have changed since this answer", "restore the old `prompts` folder")


def replay(past: Record, engine: Engine) -> Replay:
    """Ask the same snapshot again, and compare. Raises as `Engine.ask` does."""
    answer = engine.ask(past.question, past.receipt.parameters.where, past.receipt.snapshot)
    verdicts = [
        Verdict(passage.document_id, passage.start, passage.end, passage.confidence)
        for passage in answer.passages
        if passage.confidence is not None
    ]
    same = len(verdicts) == len(past.verdicts) and all(map(_alike, verdicts, past.verdicts))
    return Replay(answer.text == past.text, answer.citations == past.citations, same, answer)


def changed(past: Record, found: Replay) -> AnswerChanged:
    """The error that names the parts that differ."""
    made = past.receipt.version
    hint = "replay it on the machine that answered: processors round differently"
    if made != __version__:
        hint = f"replay it with rag {made}, which made it: this is rag {__version__}"
    return AnswerChanged(f"the answer differs in {' and '.join(found.differing)}", hint)


def _alike(one: Verdict, other: Verdict) -> bool:
    return replace(one, confidence=0) == replace(other, confidence=0) and (
        abs(one.confidence - other.confidence) <= _SAME_CONFIDENCE
    )


def _verdicts(passages: list[dict[str, Any]]) -> Iterator[Verdict]:
    for row in passages:
        if row["confidence"] is not None:
            yield Verdict(row["document_id"], row["start"], row["end"], _number(row["confidence"]))


def _receipt(row: dict[str, Any]) -> Receipt:
    parameters = Parameters(**row["parameters"])
    for text in (parameters.where, parameters.unsupported, row["snapshot"]):
        _text(text)
    for name in ("passages", "min_confidence", "context_tokens", "answer_tokens"):
        _number(getattr(parameters, name))
    return Receipt(**{**row, "parameters": parameters})


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value


def _name(digest: str) -> str:
    """The name of the model with this digest, in the catalogue or the settings; the digest itself if it is unknown."""
    digests = {name: model.sha256 for name, model in CATALOGUE.items()} | JUDGES_DIGESTS
    return next((name for name, known in digests.items() if known == digest), digest)
