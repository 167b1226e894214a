"""What a claim's words alone tell of its support: how many of them the evidence has, and how many of its numbers."""

import re

from rag import text as texts
from rag.language import detect

# "No. 07" is number 7. A zero that is all there is before the decimals stays.
_LEADING_ZEROS = re.compile(r"^0+(?=\d)")


def language_of_both(claim: str, evidence: str) -> str | None:
    """The language that both are in; None where they are in two, and their words cannot be compared."""
    language = detect(evidence)
    return language if detect(claim, leaning=(language,)) == language else None


def shared_words(claim: str, evidence: str, language: str) -> float:
    """The share of the claim's words that stand in the evidence; 0 where it has no words."""
    said, known = _words(claim, language), set(_words(evidence, language))
    return sum(word in known for word in said) / max(1, len(said))


def shared_numbers(claim: str, evidence: str) -> float:
    """The share of the claim's numbers that stand in the evidence, with or without zeros before them; 1 where it has none."""
    said, known = _numbers(claim), set(_numbers(evidence))
    return sum(number in known for number in said) / len(said) if said else 1.0


def _words(text: str, language: str) -> list[str]:
    return [_LEADING_ZEROS.sub("", word) for word in texts.words(texts.normalise(text), language)]


def _numbers(text: str) -> list[str]:
    return [_LEADING_ZEROS.sub("", number) for number in texts.numbers(text)]
