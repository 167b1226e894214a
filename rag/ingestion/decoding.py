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
# The share of control characters above which a file is binary. Real texts have none, or a stray one.
_CONTROL_SHARE = 0.01
# Languages of the Western code page. Among code pages that differ in a few letters, charset_normalizer chooses the first:
# "señor" in an Indonesian text became "seńor".
_WESTERN = frozenset(
    {"af", "ca", "da", "de", "en", "es", "eu", "fi", "fo", "fr", "ga", "gl", "id", "is", "it", "jv", "ms", "nl", "nn", "no"}
    | {"oc", "pt", "sv", "sw", "tl"}
)
_HINT_BINARY = f"{formats.HINT_REMOVE}, or save it as plain text"


def decode(raw: bytes) -> tuple[str, str]:
    """The text and the name of its encoding. The text is every character of the file in order, without a byte order mark.

    Raises SeedError for bytes that are empty or not text; the caller adds the file's name.
    """
    if not raw.strip(b" \t\r\n\x00"):
        raise formats.empty()
    if raw.startswith(formats.BINARY):
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
    """Detect UTF-16 of mostly Latin text: nearly every other byte is zero. Without accents it is valid UTF-8 too."""
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
