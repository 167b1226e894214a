"""A question that leans on the conversation before it, and the same question in words that need none of it.

The language model writes those words. It is believed only where they are a question made of what was said; else the question
is asked after the answer before it: a statement in front of a question helps retrieval and the judge, and misleads neither. The
question before it would: both then answer that one ("Who is the minister? And the president?" marks the minister, at .74).
"""

import re
from collections.abc import Callable, Sequence

from rag import text as texts
from rag.answering.prompt import Phrases
from rag.types import Reader, Turn

# What is looked back at. Reading costs 25 ms a token on two cores, and people lean on what was just said.
MOST_TURNS = 3
_MOST_QUESTION, _MOST_ANSWER = 200, 300
# A question of so few words rarely says what it is about ("Kapan?", "Where was that?").
_FEW_WORDS = 3
# The share of a rewritten question's words that stand in the conversation or the question. The others are endings that change.
_LEAST_KNOWN = 0.75
# The share of the question's own longer words that stay: the default model now and then writes an earlier question again.
_LEAST_KEPT = 0.5
_MOST_WRITTEN = 300
_MARKER = re.compile(r"\s*\[\d+\]")
_ASKING = ("?", "？", "؟")


def is_likely(question: str, turns: Sequence[Turn], language: str, phrases: Phrases) -> bool:
    """Whether the question leans on the turns before it: it is short, points back, or begins as if it went on."""
    if not turns:
        return False
    words = texts.words(question, language)
    pointing = phrases.pointing.split()
    endings = tuple(word.removeprefix("-") for word in pointing if word.startswith("-"))
    begun = " ".join(words) + " "
    return (
        len(words) <= _FEW_WORDS
        or any(word in pointing or (endings and word.endswith(endings)) for word in words)
        or any(begun.startswith(link.strip() + " ") for link in phrases.linking.split(",") if link.strip())
    )


def joined(question: str, turns: Sequence[Turn], phrases: Phrases) -> str:
    """The question after what was answered before it; where that was refused, after what was asked."""
    last = turns[-1]
    refused = not last.answer.strip() or last.answer.strip().startswith(phrases.refusal)
    return f"{_shortened(last.question, _MOST_QUESTION) if refused else _shortened(last.answer, _MOST_ANSWER)} {question}"


def alone(question: str, turns: Sequence[Turn], language: str, phrases: Phrases, reader: Callable[[], Reader]) -> str:
    """The question in words that stand alone. Raises as `reader` and its `rewrite` do."""
    turns = turns[-MOST_TURNS:]
    said = "\n".join(f"{_shortened(turn.question, _MOST_QUESTION)}\n{_shortened(turn.answer, _MOST_ANSWER)}" for turn in turns)
    written = texts.normalise(reader().rewrite(question, said, phrases.name)).strip("\"'“”")
    return written if _is_believed(written, question, said, language) else joined(question, turns, phrases)


def _is_believed(written: str, question: str, said: str, language: str) -> bool:
    """Whether this is another question, made of what was said."""
    words = texts.words(written, language)
    asking = written.endswith(_ASKING) or not question.endswith(_ASKING)
    if len(written) > _MOST_WRITTEN or not words or not asking or words == texts.words(question, language):
        return False
    stems = texts.stems(words, language)
    asked = texts.words(question, language)
    own = texts.stems([word for word in asked if len(word) > 3] or asked, language)
    known = {*texts.stems([*asked, *texts.words(said, language)], language)}
    kept = sum(stem in stems for stem in own) >= _LEAST_KEPT * len(own)
    return kept and sum(stem in known for stem in stems) >= _LEAST_KNOWN * len(stems)


def _shortened(text: str, most: int) -> str:
    """The beginning of the text, on one line and without the markers of citations."""
    return texts.normalise(_MARKER.sub("", text))[:most]
