"""The values that cross the stages, and the protocols that join them. No behaviour, no library.

Offsets are counts of Unicode code points into a document's original text: of a text file its bytes decoded, nothing else
changed; of other formats the text that was extracted from them, as the snapshot stores it.
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
    """One seed. `path` is relative to the seeds folder, `sha256` that of the file's bytes, `text` the original text.

    `media_type` says how the text came out of the bytes (`text/plain; charset=utf-8`, `application/pdf`); `date` is the ISO day
    that the document itself states, else that of its file. `pages` are the offsets at which its pages begin, empty where it
    has none.
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
        """The number of the page, from 1, on which the character at `offset` stands; None where there are no pages."""
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
    """A range of a document that was found: a chunk, or neighbouring chunks read together.

    `score` is that of retrieval; `dense` is its cosine similarity with the question and `lexical` its BM25 score, None for a
    side that was not asked. `confidence` is the judge's probability that it answers, None where no judge has read it.
    `highlight` is the range of the document to look at first: the sentence with most of the question's words, and once a judge
    has marked the words that answer, those.
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
    """What a document must meet to be searched: one of `values` stands in the relation `operator` to its `field`.

    `field` is document, folder, language or date; `operator` is `=`, or for dates also `<`, `<=`, `>` or `>=`.
    """

    field: str
    operator: str
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Citation:
    """The words a sentence rests on: `text` stands at [start, end) of the original text of the document with this digest.

    `page` is where a person finds it in a document that has pages.
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
    """One sentence of an answer with its verified citations. Without any it is not `supported`, and is left out or flagged.

    `support` is the judge's probability that its passage supports it, None where the judge cannot say.
    """

    text: str
    citations: tuple[Citation, ...]
    support: float | None = None

    @property
    def supported(self) -> bool:
        """Whether a verified citation stands behind it."""
        return bool(self.citations)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Turns a reader's log-odds into a probability: the logistic function of (log-odds - centre) / scale."""

    centre: float
    scale: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """How likely a passage answers a question, and the words of the passage that do, where the judge can mark them."""

    confidence: float
    span: Span | None


@dataclass(frozen=True, slots=True)
class Parameters:
    """What was asked for beside the question, as far as it changes the answer: the filter, and the settings of these names.

    `seed` is None at `temperature` 0: the likeliest token is written each time, and nothing is drawn.
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
    """What made an answer, so that it can be made again: see `rag replay`.

    It names the version of rag, the snapshot, the digests of models and prompts, and has the seconds by stage. `judge` is a
    digest too, or where the settings chose another judge than ours what they call it; `llm` is one, or the address of an
    endpoint with the model's name there. `stored` counts the passages that the language model took from the store, `read`
    those that it had to read; one that it still held is neither.
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
    """The answer to a question, or an honest refusal: then `answered` is false and `sentences` cite nothing.

    `text` is what a person reads, with the marker `[n]` after each sentence for `citations[n - 1]`; `confidence` is the
    judge's probability that the best passage answers; `passages` are the nearest, those judged first, best first. `marked`
    are the words of the best passage that answer; None where the judge marks none, and where nothing answers. `dropped` are
    sentences that were written and are not shown, for nothing supports them; `note` says so to a person, or that some are shown
    all the same, with a mark. `understood_as` is what was answered in the place of a `question` that leaned on the conversation
    before it; empty where it stands alone. `cut` is whether the model was stopped before it had ended, mostly by
    RAG_ANSWER_TOKENS: then the sentence it was at is left out or, where it is the only one, ends in `…`, and `note` says so.
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
    """A question of the conversation so far, and what was answered."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Found:
    """The passages that were retrieved: told before the model starts.

    A follow-up finds twice: at once by its words and those of the question before, then by what it was understood as.
    """

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Understood:
    """A follow-up as a question that stands alone: this is what is answered."""

    question: str


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the answer as it is written."""

    text: str


@dataclass(frozen=True, slots=True)
class Marked:
    """The instant answer: the words of the best passage that answer, told before the model writes.

    `confidence` is the probability that its passage answers. The `Answer` that follows may still be a refusal.
    """

    citation: Citation
    confidence: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many questions have to end before this one has the model: told where several ask, until it is 0."""

    before: int


Event = Found | Understood | Marked | Token | Answer | Waiting


class Embedder(Protocol):
    """Turns texts into unit vectors. Two texts that say the same lie close, in whatever language."""

    def embed_passages(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Vectors of shape (len(texts), dimension), L2-normalised."""

    def embed_queries(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Vectors of shape (len(texts), dimension), L2-normalised."""

    def token_starts(self, text: str) -> list[int]:
        """The offset at which each token of the text begins, ascending."""


class Judge(Protocol):
    """Says of passages whether they answer a question. From the confidence `certain` on, whoever asks may look no further."""

    certain: float

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        """A judgement for each passage, in order; passages that are not asked for need not be read."""


class SupportCheck(Protocol):
    """Says of evidence whether it supports a claim."""

    def supports(self, claims: Sequence[tuple[str, str]]) -> list[float]:
        """For each (claim, evidence) the probability that the evidence supports the claim."""


class Reader(Protocol):
    """A language model that reads one passage at a time."""

    def judge(self, question: str, passage: str) -> float:
        """Log-odds that the passage answers the question."""

    def answer(self, question: str, passages: Sequence[str], instruction: str) -> Generator[str, None, bool]:
        """The answer from these passages alone, one at least, piece by piece. `instruction` names the language.

        Returns whether it is cut: there was more to come.
        """

    def rewrite(self, question: str, conversation: str, language: str) -> str:
        """The last question of a conversation, in words that need none of it. `language` is a name."""
