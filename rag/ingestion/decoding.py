"""From a file's bytes to its text: UTF-8, UTF-16, or a legacy encoding by detection. Pure."""

import codecs

from charset_normalizer import from_bytes

from rag import language
from rag.errors import SeedDamaged, SeedForeign
from rag.ingestion import formats

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Beginnings of files that are no text, whatever they are called.
_BINARY = (
    b"%PDF-",
    b"PK\x03\x04",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"\x7fELF",
    b"\x1f\x8b",
    b"\xd0\xcf\x11\xe0",
    b"{\\rtf",
)
# Share of control characters from which a text is taken for binary: real texts have none or a stray one.
_CONTROL_SHARE = 0.01
# Languages of the Western code page. Of code pages that differ in a few letters charset_normalizer takes the first:
# "señor" in an Indonesian text became "seńor".
_WESTERN = frozenset(
    {"af", "ca", "da", "de", "en", "es", "eu", "fi", "fo", "fr", "ga", "gl", "id", "is", "it", "jv", "ms", "nl", "nn", "no"}
    | {"oc", "pt", "sv", "sw", "tl"}
)
_HINT_BINARY = "remove it from the seeds, or save it as plain text"


def decode(raw: bytes) -> tuple[str, str]:
    """The text and the encoding's name.

    The text is every character of the file in order; only a byte order mark is left out. Raises SeedError for bytes that are
    empty or no text. A caller that has the file's name says which file it was.
    """
    if not raw.strip(b" \t\r\n\x00"):
        raise formats.empty()
    if raw.startswith(_BINARY):
        raise SeedForeign("it is not text", _HINT_BINARY)
    encoding = _encoding(raw)
    try:
        text = raw.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise SeedDamaged(f"it is not valid {encoding} ({error})", "save it as UTF-8") from error
    if _is_binary(text):
        raise SeedForeign("it is not text", _HINT_BINARY)
    if not text.strip():
        raise formats.empty()
    return text, encoding


def _encoding(raw: bytes) -> str:
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return encoding
    if wide := _utf16_without_mark(raw):
        return wide
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return _detected(raw)
    return "utf-8"


def _utf16_without_mark(raw: bytes) -> str | None:
    """UTF-16 of mostly Latin text has a zero in nearly every other byte; without accents it is valid UTF-8 too."""
    if len(raw) < 4 or len(raw) % 2:
        return None
    if raw[1::2].count(0) > len(raw) // 4 and not raw[::2].count(0):
        return "utf-16-le"
    if raw[::2].count(0) > len(raw) // 4 and not raw[1::2].count(0):
        return "utf-16-be"
    return None


def _detected(raw: bytes) -> str:
    matches = from_bytes(raw)
    best = matches.best()
    if best is None:
        raise SeedForeign("it is not text in any known encoding", _HINT_BINARY)
    western = any("cp1252" in match.could_be_from_charset for match in matches)
    return "cp1252" if western and language.detect(str(best)) in _WESTERN else best.encoding


def _is_binary(text: str) -> bool:
    control = sum(1 for character in text if character < " " and character not in "\t\n\r\f\v")
    return control > _CONTROL_SHARE * len(text)
