"""A second opinion: where a quick judge finds no answer, a slow one reads the passage that came nearest to one."""

from collections.abc import Callable, Iterator, Sequence

from rag.types import Judge, Judgement

# On idkmrc's development half our judge gives 339 of 380 answered questions at least `_FOUND`, and 86 of 380 one-word edits of
# them. Of 64 drawn from those below, the default language model gives `_TRUSTED` to 12 of 31 answered ones, and 1 of 33 edits.
_FOUND = 0.35
_TRUSTED = 0.6


class SecondOpinion:
    """A `Judge`: the first one's judgements and, where none of them finds an answer, the second one's on the best of them.

    `second` is called when it is needed. Below `_TRUSTED` it changes nothing.
    """

    def __init__(self, first: Judge, second: Callable[[], Judge]) -> None:
        self.certain = first.certain
        self._first, self._second = first, second

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        """Whether each passage answers, in order; those that nobody asks for are not read once one was found to."""
        judgements = self._first.judge(question, passages)
        read: list[Judgement] = []
        for judgement in judgements:
            read.append(judgement)
            if judgement.confidence >= _FOUND:
                yield from read
                yield from judgements
                return
        if read:
            best = max(range(len(read)), key=lambda i: read[i].confidence)
            read[best] = self._again(question, passages[best], read[best])
        yield from read

    def _again(self, question: str, passage: str, before: Judgement) -> Judgement:
        """The second one's confidence, where it is sure, and the words that the first one marked."""
        confidence = next(self._second().judge(question, [passage])).confidence
        return Judgement(confidence, before.span) if confidence >= _TRUSTED else before
