"""Divides a document into chunks of whole sentences, in tokens of the embedder. A chunk is a range of the text. Pure."""

import sys
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rag import text as texts
from rag.types import Chunk, Document, Span

# The most characters that count as one token. The embedder makes one token of a run of unknown characters (emoji, hieroglyphs),
# which is thousands of tokens for the language model. Words of real languages are shorter.
_MOST_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Chunking:
    """The length of chunks, in tokens of the embedder without its prompt and special tokens.

    Chunks are short because reading them is slow: a 1.5B model on two cores reads about 40 to 70 tokens a second. A chunk ends
    at the end of a paragraph once it has `least` tokens, and before the sentence that would take it over `most`.
    """

    least: int = 120
    most: int = 160

    def as_dict(self) -> dict[str, int]:
        """For the manifest."""
        return asdict(self)


def chunk(document: Document, token_starts: Sequence[int], chunking: Chunking) -> list[Chunk]:
    """Chunks in order, without overlap; together they hold every character of the text that is not white space.

    `token_starts` are the ascending offsets at which the embedder's tokens begin in `document.text`.
    """
    size = _Size(token_starts)
    pieces = [
        piece
        for sentence in texts.sentences(document.text, document.language)
        for piece in _cut(document, sentence, size, chunking.most)
    ]
    groups = _balance_last(_group(document.text, pieces, size, chunking), size)
    spans = [Span(group[0].start, group[-1].end) for group in groups]
    return [Chunk(document.id, span.start, span.end, document.text[span.start : span.end]) for span in spans]


class _Size:
    """Counts tokens of a range."""

    def __init__(self, token_starts: Sequence[int]) -> None:
        self._starts = token_starts

    def __call__(self, start: int, end: int) -> int:
        tokens = bisect_left(self._starts, end) - bisect_left(self._starts, start)
        return max(tokens, (end - start) // _MOST_CHARACTERS)

    def reach(self, start: int, most: int) -> int:
        """The largest offset up to which at most `most` tokens begin from `start` on."""
        beyond = bisect_left(self._starts, start) + most
        by_tokens = self._starts[beyond] if beyond < len(self._starts) else sys.maxsize
        return min(by_tokens, start + most * _MOST_CHARACTERS)


def _cut(document: Document, sentence: Span, size: _Size, most: int) -> list[Span]:
    """The sentence; one longer than a chunk is cut into pieces where a line may be broken."""
    if size(sentence.start, sentence.end) <= most:
        return [sentence]
    piece = document.text[sentence.start : sentence.end]
    places = [sentence.start + offset for offset in texts.breaks(piece, document.language)]
    spans: list[Span] = []
    start = sentence.start
    while start < sentence.end:
        end = _furthest(start, sentence.end, places, size, most)
        if span := texts.trimmed(document.text, start, end):
            spans.append(span)
        start = end
    return spans


def _furthest(start: int, end: int, places: Sequence[int], size: _Size, most: int) -> int:
    """The last place that keeps the piece within `most` tokens; where there is none, an offset within a word."""
    reach = min(end, max(start + 1, size.reach(start, most)))
    place = bisect_right(places, reach) - 1
    return reach if reach == end or place < 0 or places[place] <= start else places[place]


def _group(text: str, pieces: Sequence[Span], size: _Size, chunking: Chunking) -> list[list[Span]]:
    groups: list[list[Span]] = []
    for piece in pieces:
        if groups and not _closes(text, groups[-1], piece, size, chunking):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return groups


def _closes(text: str, group: Sequence[Span], piece: Span, size: _Size, chunking: Chunking) -> bool:
    """Whether the group is complete before `piece`."""
    if size(group[0].start, piece.end) > chunking.most:
        return True
    starts_paragraph = "\n" in text[group[-1].end : piece.start]
    return starts_paragraph and size(group[0].start, group[-1].end) >= chunking.least


def _balance_last(groups: list[list[Span]], size: _Size) -> list[list[Span]]:
    """Move sentences from the last but one group to the last, while that makes their lengths more equal."""
    if len(groups) < 2:
        return groups
    before, last = groups[-2], groups[-1]
    while len(before) > 1:
        rest = size(before[0].start, before[-2].end)
        grown = size(before[-1].start, last[-1].end)
        if grown > rest:
            break
        last.insert(0, before.pop())
    return groups
