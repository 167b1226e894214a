"""A question that leans on the conversation before it, rewritten to stand alone.

The language model rewrites it. Its text is used only if it is a question made of what was said. Otherwise the previous answer
is put in front of the question: a statement there helps retrieval and the judge, and misleads neither. The previous question
would: both then answer that one ("Who is the minister? And the president?" marks the minister, at .74).
"""

from collections.abc import Callable, Sequence

from rag import text as texts
from rag.answering.citing import without_markers
from rag.answering.prompt import Phrases
from rag.types import Reader, Turn

# Turns that are read. A token costs 25 ms on two cores, and people refer to what was just said.
MOST_TURNS = 3
# Characters that are read of a question and of an answer.
_MOST_QUESTION, _MOST_ANSWER = 200, 300
# A question of at most so many words rarely names its subject ("Kapan?", "Where was that?").
_FEW_WORDS = 3
# The share of a rewritten question's words that must come from the conversation or the question. The rest are changed endings.
_LEAST_KNOWN = 0.75
# The share of the question's own longer words that must stay: the default model sometimes repeats an earlier question instead.
_LEAST_KEPT = 0.5
# Characters of a rewritten question.
_MOST_WRITTEN = 300
_ASKING = ("?", "？", "؟")


def is_likely(question: str, turns: Sequence[Turn], language: str, phrases: Phrases) -> bool:
    """Whether the question leans on the turns before it: it is short, points back, or begins as a continuation does."""
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
    """The question after the previous answer or, if that was a refusal or is missing, after the previous question."""
    last = turns[-1]
    if last.answer.strip() and not phrases.is_refusal(last.answer):
        return f"{_shortened(last.answer, _MOST_ANSWER)} {question}"
    return f"{_shortened(last.question, _MOST_QUESTION)} {question}"


def alone(question: str, turns: Sequence[Turn], language: str, phrases: Phrases, reader: Callable[[], Reader]) -> str:
    """The question in words that stand alone. Raises what `reader` and its `rewrite` raise."""
    turns = turns[-MOST_TURNS:]
    said = "\n".join(f"{_shortened(turn.question, _MOST_QUESTION)}\n{_shortened(turn.answer, _MOST_ANSWER)}" for turn in turns)
    written = texts.normalise(reader().rewrite(question, said, phrases.name)).strip("\"'“”")
    return written if _is_believed(written, question, said, language) else joined(question, turns, phrases)


def _is_believed(written: str, question: str, said: str, language: str) -> bool:
    """Whether this is another question, made of the words of the conversation."""
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
    """The first `most` characters of the text, on one line and without markers of citations."""
    return texts.normalise(without_markers(text))[:most]
