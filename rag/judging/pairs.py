"""Two texts as one row of tokens, with the way back: which characters of the second text each of its tokens is. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from rag import text as texts
from rag.embedding.folder import Model

# Before the claim where support is asked for, as `query: ` stands before a question: the judge was trained with it.
CLAIM = "claim: "


@dataclass(frozen=True, slots=True)
class Encoded:
    """A pair in token numbers, special ones among them.

    `offsets` are the ranges of the second text that its tokens cover, ascending; its first token stands at `first` in `ids`.
    """

    ids: list[int]
    first: int
    offsets: list[tuple[int, int]]


class PairEncoder:
    """Encodes pairs for a model's tokenizer, and cuts the end of a second text that is too long for it."""

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
        """The pair with as much of the second text as fits, and its tokens' places in the text as it was handed in."""
        ids: list[int] = encoding.ids  # type: ignore[attr-defined]  # tokenizers has no types
        sequences: list[int | None] = encoding.sequence_ids  # type: ignore[attr-defined]
        offsets: list[tuple[int, int]] = encoding.offsets  # type: ignore[attr-defined]
        second = [i for i, sequence in enumerate(sequences) if sequence == 1]
        last = max((i for i, sequence in enumerate(sequences) if sequence is not None), default=len(ids) - 1)
        ending = ids[last + 1 :]
        kept = second[: max(0, len(second) - max(0, len(ids) - self._most))]
        # The prompt's tokens are of no text.
        own = [i for i in kept if offsets[i][1] > len(self._passage)]
        shift = len(self._passage)
        ranges = [(max(0, offsets[i][0] - shift), offsets[i][1] - shift) for i in own]
        original = [(places[start], places[end - 1] + 1) for start, end in ranges]
        head = ids[: kept[-1] + 1] if kept else ids[: max(0, min(last + 1, self._most - len(ending)))]
        return Encoded([*head, *ending], own[0] if own else len(head), original)
