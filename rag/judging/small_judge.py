"""Our own judge: the embedder's encoder, trained to read a question and a passage together, on OpenVINO.

`PairEncoder` turns a question and a passage into one row of tokens, and keeps which characters each token of the passage is.
The model gives log-odds for the whole pair and logits for each token. `best` picks the likeliest answer among the ranges of the
passage's tokens, and the calibration in the judge's file makes probabilities of both. How it was trained: training/CARD.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag import text as texts
from rag.embedding import model_folder
from rag.embedding.graph import FLOAT32, Arithmetic, EncoderGraph
from rag.embedding.model_folder import Model
from rag.embedding.openvino import OpenVinoEmbedder, Runner
from rag.judging import judge_file, scoring
from rag.judging.judge_file import JudgeWeights
from rag.judging.scoring import logistic
from rag.types import Embedder, Judgement, Span
from rag.weights import sources
from rag.weights.cache import WeightCache
from rag.weights.catalogue import CATALOGUE, SHIPPED

# Stands before a claim, as `query: ` before a question: the judge was trained with it.
CLAIM = "claim: "


@dataclass(frozen=True, slots=True)
class Encoded:
    """A pair as token numbers, including special tokens.

    `offsets` are the ranges of the second text that its tokens cover, ascending. Its first token is at index `first` of `ids`.
    """

    ids: list[int]
    first: int
    offsets: list[tuple[int, int]]


class PairEncoder:
    """Encodes pairs with a model's tokenizer. A second text that is too long for the model is cut at its end."""

    def __init__(self, model: Model) -> None:
        self._tokenizer, self._most = model.tokenizer, model.most_tokens
        self._query, self._passage = model.prompts["query"], model.prompts["document"]

    def questions(self, question: str, passages: Sequence[str]) -> list[Encoded]:
        """The question with each of the passages."""
        return self._pairs(self._query, [(question, passage) for passage in passages])

    def claims(self, pairs: Sequence[tuple[str, str]]) -> list[Encoded]:
        """Each claim with its evidence."""
        return self._pairs(CLAIM, pairs)

    def _pairs(self, prompt: str, pairs: Sequence[tuple[str, str]]) -> list[Encoded]:
        seconds = [texts.visible(second) for _, second in pairs]
        raw = [
            (prompt + texts.normalise(first), self._passage + copy)
            for (first, _), (copy, _) in zip(pairs, seconds, strict=True)
        ]
        encodings = self._tokenizer.encode_batch(raw)
        return [self._cut(encoding, places) for encoding, (_, places) in zip(encodings, seconds, strict=True)]

    def _cut(self, encoding: object, places: Sequence[int]) -> Encoded:
        """The pair with as much of the second text as fits. `places` maps its characters to the text before it was cleaned."""
        ids: list[int] = encoding.ids  # type: ignore[attr-defined]  # tokenizers has no type stubs
        sequences: list[int | None] = encoding.sequence_ids  # type: ignore[attr-defined]
        offsets: list[tuple[int, int]] = encoding.offsets  # type: ignore[attr-defined]
        second = [i for i, sequence in enumerate(sequences) if sequence == 1]
        last = max((i for i, sequence in enumerate(sequences) if sequence is not None), default=len(ids) - 1)
        ending = ids[last + 1 :]
        kept = second[: max(0, len(second) - max(0, len(ids) - self._most))]
        # The tokens of the prompt belong to no text.
        own = [i for i in kept if offsets[i][1] > len(self._passage)]
        shift = len(self._passage)
        ranges = [(max(0, offsets[i][0] - shift), offsets[i][1] - shift) for i in own]
        original = [(places[start], places[end - 1] + 1) for start, end in ranges]
        head = ids[: kept[-1] + 1] if kept else ids[: max(0, min(last + 1, self._most - len(ending)))]
        return Encoded([*head, *ending], own[0] if own else len(head), original)


# The most tokens of an answer: 99.5 % of the answers in idkmrc's training set are no longer.
_MOST = 48


@dataclass(frozen=True, slots=True)
class Marked:
    """Tokens `first` to `last`, inclusive. `margin` is how much likelier they are than no answer, in log-odds."""

    first: int
    last: int
    margin: float


def best(starts: NDArray[np.float32], ends: NDArray[np.float32], first: int, count: int) -> Marked | None:
    """The range with the highest sum of start and end logits, among the `count` tokens from `first` on; None if `count` is 0.

    Token 0 stands for "no answer", as in SQuAD 2.0 (Devlin et al. 2019, section 4.3).
    """
    if count <= 0:
        return None
    begin, finish = starts[first : first + count], ends[first : first + count]
    sums = np.where(_allowed(count), begin[:, None] + finish[None], -np.inf)
    at, to = np.unravel_index(int(sums.argmax()), sums.shape)
    return Marked(first + int(at), first + int(to), float(sums[at, to] - starts[0] - ends[0]))


def _allowed(count: int) -> NDArray[np.bool_]:
    """Which pairs (first, last) are ranges that do not run backwards and are not too long, shape (count, count)."""
    ones = np.ones((count, count), dtype=bool)
    return np.triu(ones) & np.tril(ones, _MOST - 1)


# Passages per batch: a caller that stops at the first certain one has read at most so many too many.
_AT_ONCE = 4
# Outputs of the head for whole pairs.
_ANSWERS, _SUPPORTS = 0, 1


class SmallJudge:
    """A `Judge` that marks the words that answer, and a `SupportCheck`. Safe to use from several threads."""

    # Stopping there loses the right first passage for 1 question in 120 on idkmrc and on belebele-th, and halves the reading.
    certain = 0.9

    def __init__(self, name: str, digest: str, made: JudgeWeights, arithmetic: Arithmetic) -> None:
        self.name, self.digest, self.backend = name, digest, f"openvino {arithmetic.name}"
        self._calibration = made.calibration
        self._encoder = PairEncoder(made.encoder)
        self._runner = Runner(_JudgeGraph(made, int8=arithmetic.int8), arithmetic)

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        """Whether and where each passage answers, in order. Batches are read on demand."""
        for at in range(0, len(passages), _AT_ONCE):
            group = passages[at : at + _AT_ONCE]
            encoded = self._encoder.questions(question, group)
            for passage, pair, (whole, places) in zip(group, encoded, self.logits(encoded), strict=True):
                yield self._judgement(passage, pair, float(whole[_ANSWERS]), places)

    def supports(self, claims: Sequence[tuple[str, str]]) -> list[float]:
        """For each (claim, evidence) the probability that the evidence supports the claim."""
        logits = self.logits(self._encoder.claims(claims))
        return [self._support(*pair, float(whole[_SUPPORTS])) for pair, (whole, _) in zip(claims, logits, strict=True)]

    def logits(self, pairs: Sequence[Encoded]) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """For each pair the log-odds of answering and supporting (2,), and its tokens' logits as start and end (tokens, 2)."""
        found: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = [_NOTHING] * len(pairs)

        def take(batch: list[int], outputs: list[NDArray[np.float32]]) -> None:
            whole, places = outputs
            for row, i in enumerate(batch):
                found[i] = whole[row].copy(), places[row, : len(pairs[i].ids)].copy()

        self._runner.run([pair.ids for pair in pairs], take)
        return found

    def _support(self, claim: str, evidence: str, log_odds: float) -> float:
        if not evidence.strip():
            return 0.0
        made, numbers = self._calibration, scoring.shared_numbers(claim, evidence)
        language = scoring.language_of_both(claim, evidence)
        if language is None:
            return made.support_across.probability(log_odds, 0.0, numbers)
        return made.support.probability(log_odds, scoring.shared_words(claim, evidence, language), numbers)

    def _judgement(self, passage: str, pair: Encoded, log_odds: float, places: NDArray[np.float32]) -> Judgement:
        made = self._calibration
        marked = best(places[:, 0], places[:, 1], pair.first, len(pair.offsets))
        if marked is None:
            return Judgement(0.0, None)
        confidence = logistic(made.verdict * log_odds + made.span * marked.margin + made.offset)
        start, end = pair.offsets[marked.first - pair.first][0], pair.offsets[marked.last - pair.first][1]
        return Judgement(confidence, texts.trimmed(passage, start, end) or Span(start, end))


_NOTHING = (np.empty(0, np.float32), np.empty((0, 2), np.float32))


class _JudgeGraph(EncoderGraph):
    """The encoder graph with the judge's heads."""

    def __init__(self, made: JudgeWeights, *, int8: bool) -> None:
        super().__init__(made.encoder, int8=int8)
        self._heads = made.heads

    def outputs(self, states: Any, mask: Any) -> Sequence[Any]:
        """Log-odds of shape (pairs, 2), and token logits of shape (pairs, length, 2)."""
        return [self._head(self.pooled(states, mask), "whole"), self._head(states, "places")]

    def _head(self, states: Any, name: str) -> Any:
        product = self.op.matmul(states, self.constant(self._heads[f"{name}.weight"]), False, True)  # noqa: FBT003  # opset's own
        return self.op.add(product, self.constant(self._heads[f"{name}.bias"]))


def open_shipped(embedder: Embedder, cache: WeightCache) -> SmallJudge:
    """The judge that comes with rag, on the embedder it was trained from: `embedder` if it is that one, else the cache's.

    Raises WeightsDamaged, or WeightsMissing if that embedder was not fetched.
    """
    path, base = sources.require(SHIPPED), CATALOGUE[SHIPPED.base]
    if isinstance(embedder, OpenVinoEmbedder) and embedder.digest == base.sha256:
        model, arithmetic = embedder.model, embedder.arithmetic
    else:
        model, arithmetic = model_folder.read(cache.sentence_transformer(base)), FLOAT32
    return SmallJudge(SHIPPED.name, SHIPPED.sha256, judge_file.read(path, model), arithmetic)
