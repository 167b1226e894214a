"""Splits text into paragraphs, sentences, words and stems, by ICU and Snowball.

Sentences are ranges of the given text, so that citations can point into it. `normalise` makes the copy that models see; no
function changes the original. The only importer of icu4py and Stemmer.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from threading import Lock

import Stemmer
from icu4py.breakers import BaseBreaker, LineBreaker, SentenceBreaker, WordBreaker

from rag.types import Span

# Invisible characters in real documents that confuse models: soft hyphens, zero-width and bidirectional marks, BOM; and those
# that can hide a text from people but not from models, such as tag characters.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SPACE = re.compile(r"\s+")


def normalise(text: str) -> str:
    """A copy for models: NFC, no control or invisible characters, single spaces."""
    # Invisible characters are removed first: one between a letter and its accent would keep NFC from composing them.
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    return _SPACE.sub(" ", _CONTROL.sub(" ", text)).strip()


def visible(text: str) -> tuple[str, Sequence[int]]:
    """A copy for models without invisible and control characters, and the offset of each of its characters in `text`."""
    if not _INVISIBLE.search(text):
        return _CONTROL.sub(" ", text), range(len(text))
    kept = [i for i, character in enumerate(text) if not _INVISIBLE.match(character)]
    return _CONTROL.sub(" ", "".join(text[i] for i in kept)), kept


def trimmed(text: str, start: int, end: int) -> Span | None:
    """The range without white space at its ends; None if nothing is left."""
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    if left == len(piece):
        return None
    return Span(start + left, start + len(piece.rstrip()))


# Paragraphs and sentences

# Abbreviations, in lower case and without the last dot, that do not end a sentence; ICU ends one after "Dr. " or "No. ".
_INDONESIAN = (
    "dr drs dra ir prof h hj kh st sp jl jln no nos tgl hlm hal kab kec kel prop prov tel telp a.n u.b d.a s.d dll dst dsb bp "
    "ibu tn ny sdr sdri jend letjen mayjen brigjen kol letkol kapt lettu letda serka art ayat ps"
)
_ENGLISH = "mr mrs ms messrs sen rep gov gen col maj capt lt sgt jr sr vs etc e.g i.e cf fig figs vol pp p ed eds al"
_ABBREVIATIONS = frozenset(f"{_INDONESIAN} {_ENGLISH}".split())
# Abbreviations that may also end a sentence: they do, unless a digit follows.
_ENDING = frozenset(
    {"dll", "dst", "dsb", "etc", "al", "no", "p", "ed", "art", "st", "h", "ms", "sr", "jr", "ibu", "ayat", "fig"}
)
_LAST_WORD = re.compile(r"([^\W_][\w.]*)\.$")
_TERMINAL = re.compile(r"""[.!?…。!?।؟۔:;:;][\s"'”’»)\]」』]*$""")
_LINE = re.compile(r"[^\r\n\x0b\x0c\x85\u2028\u2029]+")
# Characters that are replaced by a space for ICU, one for one, so offsets hold. ICU ends a sentence at every line break, also
# at that of a wrapped line; and its binding refuses lone surrogates, which a question in JSON can have.
_BREAK_OR_HALF = re.compile(r"[\r\n\x0b\x0c\x85\u2028\u2029\ud800-\udfff]")
_HALF = re.compile(r"[\ud800-\udfff]")
# The marks that end a sentence, not only a clause; closing quotes and brackets may follow.
_ENDED = re.compile(r"""[.!?…。！？｡।؟۔]["'”’»)\]」』）]*$""")
# Characters at the end of a sentence in which its last word is searched. Searching all of it took quadratic time on a list of
# a million initials.
_LOOK_BACK = 32
# A line of at least this length without punctuation at its end was wrapped by a program (titles are shorter).
_WRAPPED_FROM = 50
_NUMBERED = re.compile(r"^\(?\w{1,3}[.)]$")


def paragraphs(text: str) -> list[Span]:
    """The ranges of paragraphs: wrapped lines are joined; blank lines and finished lines separate."""
    blocks: list[Span] = []
    before: Span | None = None
    for match in _LINE.finditer(text):
        line = trimmed(text, match.start(), match.end())
        if line is None:
            continue
        if before and _continues(text, before, line):
            blocks[-1] = Span(blocks[-1].start, line.end)
        else:
            blocks.append(line)
        before = line
    return blocks


def _continues(text: str, before: Span, line: Span) -> bool:
    """Whether `line` continues the paragraph of the line `before`, which was wrapped."""
    between = text[before.end : line.start]
    if between.count("\n") > 1 or (between.count("\r") > 1 and "\n" not in between) or not text[line.start].isalnum():
        return False
    last_line = text[before.start : before.end]
    if text[line.start].islower():
        return not last_line.endswith((".", "!", "?", ":"))
    return len(last_line) >= _WRAPPED_FROM and not _TERMINAL.search(last_line)


def sentences(text: str, language: str) -> list[Span]:
    """The ranges of the sentences, in order, without the white space between them. No sentence crosses a paragraph."""
    found: list[Span] = []
    for block in paragraphs(text):
        flat = _BREAK_OR_HALF.sub(" ", text[block.start : block.end])
        start = 0
        for begin, end in _segments(SentenceBreaker(flat, language)):
            stop = begin + len(flat[begin:end].rstrip())
            if end < len(flat) and _goes_on(flat[max(start, stop - _LOOK_BACK) : stop], flat[end]):
                continue
            if span := trimmed(text, block.start + start, block.start + end):
                found.append(span)
            start = end
    return found


def is_ended(sentence: str) -> bool:
    """Whether it ends with a mark that ends sentences and is not an abbreviation's. False in scripts without such marks."""
    return bool(_ENDED.search(sentence)) and not _goes_on(sentence[-_LOOK_BACK:], "")


def _goes_on(before: str, after: str) -> bool:
    """Whether ICU broke inside a sentence: before a lower-case letter, or after an abbreviation, an initial or a list number.

    `before` is the end of the presumed sentence, `after` the character that follows it.
    """
    if after.islower() or _NUMBERED.match(before):
        return True
    if (last := _LAST_WORD.search(before)) is None:
        return False
    word = last[1].lower()
    if word in _ENDING or word not in _ABBREVIATIONS:
        return _is_initial(last[1]) or (word in _ENDING and after.isdigit())
    return True


def _is_initial(word: str) -> bool:
    """One capital letter, or single letters of a script without capitals, as in the Thai `พ.ศ.` of dates."""
    letters = word.split(".")
    uncased = all(len(letter) == 1 and letter.isalpha() and letter.upper() == letter.lower() for letter in letters)
    return uncased or (len(word) == 1 and word.isupper())


def breaks(text: str, language: str) -> list[int]:
    """The offsets at which a line may be broken, ascending: a sentence that is too long for a chunk is cut there."""
    return [end for _, end in _segments(LineBreaker(_HALF.sub(" ", text), language))]


# Words and stems

# The Snowball stemmers by ISO 639 code. Malay is so close to Indonesian that one stemmer serves both.
_SNOWBALL = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "eo": "esperanto",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ms": "indonesian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "st": "sesotho",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
# A stemmer keeps the word that it works on, so only one thread at a time may use it.
_STEMMING = Lock()
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def words(text: str, language: str) -> list[str]:
    """The words and numbers, case-folded, by Unicode rules and ICU's dictionaries (Thai, Chinese, Japanese, Khmer, …)."""
    pieces = WordBreaker(_HALF.sub(" ", text), language)
    return [piece.casefold() for piece in pieces if any(character.isalnum() for character in piece)]


def numbers(text: str) -> list[str]:
    """The numbers written in digits, as they are written."""
    return _NUMBER.findall(text)


def stems(words_: Sequence[str], language: str) -> list[str]:
    """The words without affixes, by the language's Snowball stemmer; unchanged if it has none."""
    if (stemmer := _stemmer(language)) is None:
        return list(words_)
    with _STEMMING:
        stems_: list[str] = stemmer.stemWords(words_)
    return stems_


@cache
def _stemmer(language: str) -> "Stemmer.Stemmer | None":
    return Stemmer.Stemmer(_SNOWBALL[language]) if language in _SNOWBALL else None


def _segments(breaker: BaseBreaker) -> Iterator[tuple[int, int]]:
    """The ranges between breaks, in code points. The breaker's own `segments` count UTF-16 units."""
    start = 0
    for piece in breaker:
        yield start, start + len(piece)
        start += len(piece)
