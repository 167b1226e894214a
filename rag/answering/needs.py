"""Whether a question needs several passages: it compares or joins what each tells a part of, or asks for all there is. Pure.

The words that show it are known for the languages below. In others a question is answered from one passage.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

# Words that join or compare two things.
_JOINING = {
    "id": "dan atau dibanding dibandingkan bandingkan perbandingan daripada selisih beda perbedaan antara kedua keduanya",
    "en": "and or than versus vs compare compared comparison between both difference differ",
    "de": "und oder als verglichen vergleiche vergleich zwischen beide beiden unterschied",
    "es": "y e o u que comparado compara entre ambos ambas diferencia",
    "fr": "et ou que comparé comparez entre deux différence",
    "nl": "en of dan vergeleken vergelijk tussen beide verschil",
}
_JOINING["ms"] = _JOINING["id"]
# Words that ask for all there is.
_ALL = {
    "id": r"apa saja|siapa saja|mana saja|sebutkan|daftarkan|daftar",
    "en": r"list|name all|name the|which .+ are|what are the|who are the|what kinds|all of the",
    "de": r"welche .+ gibt es|nenne|zähle .+ auf|liste",
    "es": r"cuáles son|quiénes son|enumera|lista",
    "fr": r"quels sont|quelles sont|qui sont|énumère|liste",
    "nl": r"welke .+ zijn|noem|som .+ op|lijst",
}
_ALL["ms"] = _ALL["id"]
_WORD = re.compile(r"[^\W_]+")
_LEAST_NAME = 3


def asks_for_all(question: str, language: str) -> bool:
    """Whether it asks for a list, of which each passage may have a part."""
    pattern = _ALL.get(language)
    return bool(pattern and re.search(rf"\b(?:{pattern})\b", question.casefold()))


def joins(question: str, language: str) -> bool:
    """Whether it may join or compare two things, of which each passage may tell one."""
    return not _words(question).isdisjoint(_JOINING.get(language, "").split())


def pairs(question: str, passages: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Passages that may answer together, in their order: each has a name of the question that the other lacks."""
    asked, words = _words(question), [_words(passage) for passage in passages]
    names = [_names(passage) & asked for passage in passages]
    for one, other in combinations(range(len(passages)), 2):
        if names[one] - words[other] and names[other] - words[one]:
            yield one, other


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}


def _names(passage: str) -> set[str]:
    """Words with a capital letter or a digit: a question may be written without capitals, a document has them."""
    words = _WORD.findall(passage)
    return {word.casefold() for word in words if len(word) >= _LEAST_NAME and (word[0].isupper() or word[0].isdigit())}
