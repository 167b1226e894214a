"""Whether words are the answer that people gave, as SQuAD compares them, and whether they hold it. Pure.

Compared are copies without case, punctuation and doubled white space; articles stay, for they are of one language. A token is a
word of `rag.text`, or a character in scripts that put no spaces between words, as MLQA has it for Chinese: where such a word
ends is opinion.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

from rag import text as texts

# Thai, Lao, Myanmar, Khmer, kana, and Han with its extensions.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def exact(marked: str, answers: Sequence[str]) -> float:
    """1 where the marked words are one of the answers, else 0."""
    return float(any(normalised(marked) == normalised(answer) for answer in answers))


def f1(marked: str, answers: Sequence[str], language: str) -> float:
    """The harmonic mean of the shares of tokens that marked words and answer have in common, with the best of the answers."""
    return max(_f1(tokens(marked, language), tokens(answer, language)) for answer in answers)


def contains(text: str, answers: Sequence[str]) -> bool:
    """Whether one of the answers stands in the text, in whole words: 5 does not stand in 1945, but in 5-6 it does."""
    return any(folded(answer).strip() and folded(answer) in folded(text) for answer in answers)


def folded(text: str) -> str:
    """The text's words with a space around each, without case; punctuation divides, as do characters written without spaces."""
    divided = "".join(" " if _is_punctuation(character) else character for character in texts.normalise(text).casefold())
    return " ".join(["", *_UNSPACED.sub(r" \g<0> ", divided).split(), ""])


def has_unspaced(text: str) -> bool:
    """Whether some of the text is written without spaces between words."""
    return bool(_UNSPACED.search(text))


def normalised(text: str) -> str:
    """The text as it is compared."""
    kept = (character for character in texts.normalise(text).casefold() if not _is_punctuation(character))
    return " ".join("".join(kept).split())


def tokens(text: str, language: str) -> list[str]:
    """The text's tokens, in no order that means something."""
    plain = normalised(text)
    return _UNSPACED.findall(plain) + texts.words(_UNSPACED.sub(" ", plain), language)


def _is_punctuation(character: str) -> bool:
    """By Unicode, and what SQuAD takes for it: `$` and `+` are symbols to Unicode."""
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def _f1(marked: Sequence[str], answer: Sequence[str]) -> float:
    if not marked or not answer:
        return float(not marked and not answer)
    return 2 * (Counter(marked) & Counter(answer)).total() / (len(marked) + len(answer))
