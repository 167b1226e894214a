"""What a claim's words alone tell of its support: how many of them the evidence has, and how many of its numbers."""

from rag import text as texts
from rag.language import detect


def language_of_both(claim: str, evidence: str) -> str | None:
    """The language that both are in; None where they are in two, and their words cannot be compared."""
    language = detect(evidence)
    return language if detect(claim, leaning=(language,)) == language else None


def shared_words(claim: str, evidence: str, language: str) -> float:
    """The share of the claim's words that stand in the evidence; 0 where it has no words."""
    said = texts.words(texts.normalise(claim), language)
    known = set(texts.words(texts.normalise(evidence), language))
    return sum(word in known for word in said) / max(1, len(said))


def shared_numbers(claim: str, evidence: str) -> float:
    """The share of the claim's numbers that stand in the evidence; 1 where it has none."""
    said, known = texts.numbers(claim), set(texts.numbers(evidence))
    return sum(number in known for number in said) / len(said) if said else 1.0
