"""The language model's own yes or no as a judge: a second a passage, and no weights but the reader's."""

from collections.abc import Iterator, Sequence

from rag.judging.odds import logistic
from rag.types import Calibration, Judgement, Reader


class LlmJudge:
    """A `Judge` that asks the reader about each passage."""

    # Log-odds of about 2.5 with the default model, where on idkmrc the median passage that answers has 2.3.
    certain = 0.75

    def __init__(self, reader: Reader, calibration: Calibration) -> None:
        self._reader, self._calibration = reader, calibration

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        """Whether each passage answers, in order, one read at a time."""
        for passage in passages:
            log_odds = self._reader.judge(question, passage)
            yield Judgement(logistic((log_odds - self._calibration.centre) / self._calibration.scale), None)
