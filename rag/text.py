"""Text as the models see it, and its sentences and words as people do, by ICU. Never changes an original.

`normalise` makes a copy for models; `sentences` gives ranges of the text it was handed, so the way back is never lost.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from threading import Lock

import Stemmer
from icu4py.breakers import BaseBreaker, LineBreaker, SentenceBreaker, WordBreaker

from rag.types import Span

# Invisible characters that real documents carry and models stumble over: soft hyphen, zero-width and bidirectional marks, BOM;
# and those in which a text can be hidden from people and not from models, such as the letters of tags.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SPACE = re.compile(r"\s+")

# ICU ends a sentence after "Dr. " or "No. "; these do not end one. Lower case, without the dot: Indonesian, English.
_ABBREVIATIONS = frozenset(
    [
        "dr",
        "drs",
        "dra",
        "ir",
        "prof",
        "h",
        "hj",
        "kh",
        "st",
        "sp",
        "jl",
        "jln",
        "no",
        "nos",
        "tgl",
        "hlm",
        "hal",
        "kab",
        "kec",
        "kel",
        "prop",
        "prov",
        "tel",
        "telp",
        "a.n",
        "u.b",
        "d.a",
        "s.d",
        "dll",
        "dst",
        "dsb",
        "mr",
        "mrs",
        "ms",
        "messrs",
        "sen",
        "rep",
        "gov",
        "gen",
        "col",
        "maj",
        "capt",
        "lt",
        "sgt",
        "jr",
        "sr",
        "vs",
        "etc",
        "e.g",
        "i.e",
        "cf",
        "fig",
        "figs",
        "vol",
        "pp",
        "p",
        "ed",
        "eds",
        "al",
        "bp",
        "ibu",
        "tn",
        "ny",
        "sdr",
        "sdri",
        "jend",
        "letjen",
        "mayjen",
        "brigjen",
        "kol",
        "letkol",
        "kapt",
        "lettu",
        "letda",
        "serka",
        "art",
        "ayat",
        "ps",
    ]
)
# Those of the list above that also end sentences; they join only where a digit follows.
_ENDING = frozenset(
    {"dll", "dst", "dsb", "etc", "al", "no", "p", "ed", "art", "st", "h", "ms", "sr", "jr", "ibu", "ayat", "fig"}
)
_LAST_WORD = re.compile(r"([^\W_][\w.]*)\.$")
_TERMINAL = re.compile(r"""[.!?…。!?।؟۔:;:;][\s"'”’»)\]」』]*$""")
_LINE = re.compile(r"[^\r\n\x0b\x0c\x85\u2028\u2029]+")
# What ICU is shown a space for, one for one, so offsets hold: it ends a sentence at every line break, where a wrapped line only
# goes on; and its binding refuses half a surrogate pair, which a question in JSON can carry.
_BREAK_OR_HALF = re.compile(r"[\r\n\x0b\x0c\x85\u2028\u2029\ud800-\udfff]")
_HALF = re.compile(r"[\ud800-\udfff]")
# What ends a sentence, and not only a clause; signs that close may follow it.
_ENDED = re.compile(r"""[.!?…。！？｡।؟۔]["'”’»)\]」』）]*$""")
# Enough to see the last word of a sentence: a search of all of it made a list of a million initials quadratic.
_LOOK_BACK = 32
# A line this long that ends without punctuation was wrapped by a program, not ended by a person (titles are shorter).
_WRAPPED_FROM = 50
_NUMBERED = re.compile(r"^\(?\w{1,3}[.)]$")

# Languages with rules of Snowball, by ISO 639. Malay is so near to Indonesian that its rules serve both.
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
# A stemmer holds the word it works on, so one thread at a time uses it.
_STEMMING = Lock()
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def normalise(text: str) -> str:
    """A copy for models: NFC, no control or invisible characters, single spaces."""
    # Invisible characters go first: one between a letter and its accent would keep NFC from joining them.
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    return _SPACE.sub(" ", _CONTROL.sub(" ", text)).strip()


def visible(text: str) -> tuple[str, Sequence[int]]:
    """A copy for models, without invisible and control characters, and for each of its characters where it stood."""
    if not _INVISIBLE.search(text):
        return _CONTROL.sub(" ", text), range(len(text))
    kept = [i for i, character in enumerate(text) if not _INVISIBLE.match(character)]
    return _CONTROL.sub(" ", "".join(text[i] for i in kept)), kept


def trimmed(text: str, start: int, end: int) -> Span | None:
    """The range without white space at its ends; None where nothing is left."""
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    if left == len(piece):
        return None
    return Span(start + left, start + len(piece.rstrip()))


def paragraphs(text: str) -> list[Span]:
    """Ranges of the lines that belong together: wrapped lines are joined, blank lines and ended lines divide."""
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
    """Whether `line` is of the same paragraph as the line `before`, which a program wrapped."""
    between = text[before.end : line.start]
    if between.count("\n") > 1 or (between.count("\r") > 1 and "\n" not in between) or not text[line.start].isalnum():
        return False
    last_line = text[before.start : before.end]
    if text[line.start].islower():
        return not last_line.endswith((".", "!", "?", ":"))
    return len(last_line) >= _WRAPPED_FROM and not _TERMINAL.search(last_line)


def sentences(text: str, language: str) -> list[Span]:
    """Ranges of the sentences, in order, without the white space between them. No sentence crosses a paragraph."""
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
    """Whether it ends in the mark of a sentence, and not in that of an abbreviation. Where none are written, none ends."""
    return bool(_ENDED.search(sentence)) and not _goes_on(sentence[-_LOOK_BACK:], "")


def _goes_on(before: str, after: str) -> bool:
    """Whether ICU cut inside a sentence: before a small letter, after an abbreviation, an initial or a list's number.

    `before` is the end of what would be the sentence, `after` the character that follows.
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
    """One capital letter, or single letters of a script that has none, as in the Thai `พ.ศ.` of every date."""
    letters = word.split(".")
    uncased = all(len(letter) == 1 and letter.isalpha() and letter.upper() == letter.lower() for letter in letters)
    return uncased or (len(word) == 1 and word.isupper())


def breaks(text: str, language: str) -> list[int]:
    """The offsets at which a line may be broken, ascending: where a sentence too long for a chunk can be cut."""
    return [end for _, end in _segments(LineBreaker(_HALF.sub(" ", text), language))]


def words(text: str, language: str) -> list[str]:
    """The words and numbers, case-folded, by Unicode's rules and ICU's dictionaries (Thai, Chinese, Japanese, Khmer, …)."""
    pieces = WordBreaker(_HALF.sub(" ", text), language)
    return [piece.casefold() for piece in pieces if any(character.isalnum() for character in piece)]


def numbers(text: str) -> list[str]:
    """The numbers that are written in digits, as they are written."""
    return _NUMBER.findall(text)


def stems(words_: Sequence[str], language: str) -> list[str]:
    """The words without their endings and affixes, by Snowball's rules; as they are in a language that has no rules there."""
    if (stemmer := _stemmer(language)) is None:
        return list(words_)
    with _STEMMING:
        stems_: list[str] = stemmer.stemWords(words_)
    return stems_


@cache
def _stemmer(language: str) -> "Stemmer.Stemmer | None":
    return Stemmer.Stemmer(_SNOWBALL[language]) if language in _SNOWBALL else None


def _segments(breaker: BaseBreaker) -> Iterator[tuple[int, int]]:
    """The ranges between breaks in code points; the breaker's own `segments` count UTF-16 units."""
    start = 0
    for piece in breaker:
        yield start, start + len(piece)
        start += len(piece)
