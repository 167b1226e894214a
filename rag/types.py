"""The values that pass between the stages, and the protocols of the models. No behaviour, no library.

Offsets count Unicode code points in the original text of a document. For a text file that is its decoded bytes, otherwise
unchanged; for other formats the extracted text, as the index stores it.
"""

from bisect import bisect_right
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Span:
    """The half-open range [start, end) of a text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """A document. `path` is relative to the seeds folder, `sha256` is the digest of the file, `text` is the original text.

    `media_type` is the format of the file (`text/plain; charset=utf-8`, `application/pdf`). `date` is an ISO day: the date that
    the document states, else that of the file. `pages` are the offsets at which its pages begin, empty if it has no pages.
    """

    id: str
    path: str
    sha256: str
    media_type: str
    language: str
    date: str
    text: str
    pages: tuple[int, ...] = ()

    def page(self, offset: int) -> int | None:
        """The number, from 1, of the page with the character at `offset`; None if the document has no pages."""
        return max(1, bisect_right(self.pages, offset)) if self.pages else None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A range of a document: `text` is the document's text from `start` to `end`, unchanged."""

    document_id: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved range of a document: a chunk, or neighbouring chunks joined.

    `score` is the score of retrieval; `dense` is the cosine similarity with the question and `lexical` the BM25 score, each
    None if that search was not run. `confidence` is the judge's probability that the passage answers the question, None if no
    judge has read it. `highlight` is the range of the document to look at first: the words that answer, if a judge has marked
    them, else the sentence with most of the question's words.
    """

    document_id: str
    path: str
    language: str
    start: int
    end: int
    text: str
    score: float
    dense: float | None = None
    lexical: float | None = None
    page: int | None = None
    confidence: float | None = None
    highlight: Span | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a filter on documents: `field` compared by `operator` with any of `values`.

    `field` is document, folder, language or date; `operator` is `=`, or for dates also `<`, `<=`, `>` or `>=`. With `negated`,
    the condition holds for the documents that do not match.
    """

    field: str
    operator: str
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Citation:
    """A quotation that supports a sentence: `text` is at [start, end) of the original text of the document with this digest.

    `page` is its page, None if the document has no pages.
    """

    document_id: str
    path: str
    sha256: str
    start: int
    end: int
    text: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer with its verified citations. Without any it is not `supported`, and is left out or flagged.

    `support` is the judge's probability that the passage supports the sentence, None if the judge cannot check it.
    """

    text: str
    citations: tuple[Citation, ...]
    support: float | None = None

    @property
    def supported(self) -> bool:
        """Whether the sentence has a verified citation."""
        return bool(self.citations)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Turns log-odds of a reader into a probability: the logistic function of (log-odds - centre) / scale."""

    centre: float
    scale: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """The probability that a passage answers a question, and the range of the answer in it, if the judge marks answers."""

    confidence: float
    span: Span | None


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters that change an answer besides the question: the filter `where`, and the settings of these names.

    `seed` is None at `temperature` 0: the most likely token is chosen each time, without sampling.
    """

    where: str
    passages: int
    min_confidence: float
    unsupported: str
    context_tokens: int
    answer_tokens: int
    temperature: float = 0.0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The record of the versions, models and settings behind an answer. `rag replay` repeats the answer with it.

    It has the version of rag, the id of the snapshot, digests of the models and prompts, and the seconds of each stage. `judge`
    is a digest, or the value of the setting for another judge than ours; `llm` is a digest, or the address of an endpoint with
    the name of the model there. `stored` counts passages that the language model loaded from the store, `read` those that it
    processed; a passage that was still in memory counts as neither.
    """

    version: str
    snapshot: str
    embedder: str
    judge: str
    llm: str
    prompts: str
    parameters: Parameters
    seconds: dict[str, float]
    stored: int = 0
    read: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question, or a refusal: then `answered` is false and `sentences` have no citations.

    `text` is for people, with the marker `[n]` after a sentence for `citations[n - 1]`. `confidence` is the judge's probability
    that the best passage answers. `passages` are the retrieved passages, the judged ones first, best first. `marked` are the
    words of the best passage that answer; None if the judge marks none, or nothing answers. `dropped` are sentences that were
    written but not shown, because no passage supports them. `note` says so, or says that unsupported sentences are shown with a
    mark. `understood_as` is the standalone question that was answered in place of a follow-up; empty if `question` was not
    changed. `cut` is whether the model was stopped before the end, mostly by RAG_ANSWER_TOKENS. The unfinished sentence is left
    out or, if it is the only one, ends in `…`; `note` says so.
    """

    question: str
    language: str
    answered: bool
    text: str
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    confidence: float
    passages: tuple[Passage, ...]
    receipt: Receipt
    marked: Citation | None = None
    dropped: tuple[str, ...] = ()
    note: str = ""
    understood_as: str = ""
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question of the conversation, and its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Found:
    """Event: the retrieved passages, before the model starts.

    A follow-up question has two: first for its own words with those of the question before, then for the standalone question.
    """

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Understood:
    """Event: the standalone question that is answered in place of a follow-up."""

    question: str


@dataclass(frozen=True, slots=True)
class Token:
    """Event: a piece of the answer, as the model writes it."""

    text: str


@dataclass(frozen=True, slots=True)
class Marked:
    """Event: the words of the best passage that answer, before the model writes.

    `confidence` is the probability that the passage answers. The `Answer` that follows may still be a refusal.
    """

    citation: Citation
    confidence: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """Event: the number of questions before this one in the queue of the model, each time it changes; 0 last."""

    before: int


Event = Found | Understood | Marked | Token | Answer | Waiting


class Embedder(Protocol):
    """Turns texts into unit vectors. Texts with the same meaning are close, in any language."""

    def embed_passages(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Vectors of shape (len(texts), dimension), L2-normalised."""

    def embed_queries(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Vectors of shape (len(texts), dimension), L2-normalised."""

    def token_starts(self, text: str) -> list[int]:
        """The offset of each token of the text, ascending."""


class Judge(Protocol):
    """Judges whether passages answer a question. A caller may stop at a passage whose confidence is at least `certain`."""

    certain: float

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        """One judgement for each passage, in order. The iterator is lazy: passages that are not consumed need not be read."""


class SupportCheck(Protocol):
    """Checks whether evidence supports a claim."""

    def supports(self, claims: Sequence[tuple[str, str]]) -> list[float]:
        """For each (claim, evidence), the probability that the evidence supports the claim."""


class Reader(Protocol):
    """A language model that reads one passage at a time."""

    def judge(self, question: str, passage: str) -> float:
        """Log-odds that the passage answers the question."""

    def answer(self, question: str, passages: Sequence[str], instruction: str) -> Generator[str, None, bool]:
        """Yields the answer from these passages alone, at least one, piece by piece. `instruction` names the language.

        Returns whether the answer was cut off before its end.
        """

    def rewrite(self, question: str, conversation: str, language: str) -> str:
        """The last question of a conversation as a standalone question. `language` is the name of its language."""
