"""Our own judge: the embedder's encoder, trained to read a question and a passage together, on OpenVINO."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag import text as texts
from rag.embedding import folder
from rag.embedding.graph import FLOAT32, Arithmetic, EncoderGraph
from rag.embedding.openvino import OpenVinoEmbedder
from rag.embedding.running import Runner
from rag.judging import judge_file, spans, wording
from rag.judging.judge_file import JudgeWeights
from rag.judging.odds import logistic
from rag.judging.pairs import Encoded, PairEncoder
from rag.types import Embedder, Judgement, Span
from rag.weights import shipped
from rag.weights.cache import WeightCache
from rag.weights.catalogue import CATALOGUE, SHIPPED

# Passages that are read together: a reader who stops at the first that is certain has paid for no more than these.
_AT_ONCE = 4
# Rows of the head for whole pairs.
_ANSWERS, _SUPPORTS = 0, 1


class SmallJudge:
    """A `Judge` that also marks the answer, and a `SupportCheck`. Safe to use from several threads."""

    # Who stops there finds the right passage first for 1 question in 120 fewer on idkmrc and belebele-th, and reads half.
    certain = 0.9

    def __init__(self, name: str, digest: str, made: JudgeWeights, arithmetic: Arithmetic) -> None:
        self.name, self.digest, self.backend = name, digest, f"openvino {arithmetic.name}"
        self._calibration = made.calibration
        self._encoder = PairEncoder(made.encoder)
        self._runner = Runner(_JudgeGraph(made, int8=arithmetic.int8), arithmetic)

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        """Whether each passage answers, and where, in order; those that nobody asks for are not read."""
        for at in range(0, len(passages), _AT_ONCE):
            group = passages[at : at + _AT_ONCE]
            encoded = self._encoder.questions(question, group)
            for passage, pair, (whole, places) in zip(group, encoded, self.logits(encoded), strict=True):
                yield self._judgement(passage, pair, float(whole[_ANSWERS]), places)

    def supports(self, claims: Sequence[tuple[str, str]]) -> list[float]:
        """For each claim with its evidence the probability that the evidence supports it."""
        logits = self.logits(self._encoder.claims(claims))
        return [self._support(*pair, float(whole[_SUPPORTS])) for pair, (whole, _) in zip(claims, logits, strict=True)]

    def logits(self, pairs: Sequence[Encoded]) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """For each pair the log-odds (2,) that it answers and supports, and its tokens' logits (tokens, 2) as first, last."""
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
        made, numbers = self._calibration, wording.shared_numbers(claim, evidence)
        language = wording.language_of_both(claim, evidence)
        if language is None:
            return made.support_across.probability(log_odds, 0.0, numbers)
        return made.support.probability(log_odds, wording.shared_words(claim, evidence, language), numbers)

    def _judgement(self, passage: str, pair: Encoded, log_odds: float, places: NDArray[np.float32]) -> Judgement:
        made = self._calibration
        marked = spans.best(places[:, 0], places[:, 1], pair.first, len(pair.offsets))
        if marked is None:
            return Judgement(0.0, None)
        confidence = logistic(made.verdict * log_odds + made.span * marked.margin + made.offset)
        start, end = pair.offsets[marked.first - pair.first][0], pair.offsets[marked.last - pair.first][1]
        return Judgement(confidence, texts.trimmed(passage, start, end) or Span(start, end))


_NOTHING = (np.empty(0, np.float32), np.empty((0, 2), np.float32))


class _JudgeGraph(EncoderGraph):
    """The encoder with the judge's heads."""

    def __init__(self, made: JudgeWeights, *, int8: bool) -> None:
        super().__init__(made.encoder, int8=int8)
        self._heads = made.heads

    def outputs(self, states: Any, mask: Any) -> Sequence[Any]:
        """Log-odds of shape (pairs, 2), and logits of shape (pairs, length, 2)."""
        return [self._head(self.pooled(states, mask), "whole"), self._head(states, "places")]

    def _head(self, states: Any, name: str) -> Any:
        product = self.op.matmul(states, self.constant(self._heads[f"{name}.weight"]), False, True)  # noqa: FBT003  # opset's own
        return self.op.add(product, self.constant(self._heads[f"{name}.bias"]))


def open_shipped(embedder: Embedder, cache: WeightCache) -> SmallJudge:
    """The judge that comes with rag, on the embedder where it is the one it was trained from, else on that one from the cache.

    Raises WeightsDamaged, or WeightsMissing where the embedder it rests on was not fetched.
    """
    path, base = shipped.require(SHIPPED), CATALOGUE[SHIPPED.base]
    if isinstance(embedder, OpenVinoEmbedder) and embedder.digest == base.sha256:
        model, arithmetic = embedder.model, embedder.arithmetic
    else:
        model, arithmetic = folder.read(cache.sentence_transformer(base)), FLOAT32
    return SmallJudge(SHIPPED.name, SHIPPED.sha256, judge_file.read(path, model), arithmetic)
