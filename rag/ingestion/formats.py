"""The formats that are read: one table, and how a file's format is recognised, by its bytes first and its name second.

To add a format, add a row to `FORMATS`, and a file of it to `tests/ingestion/test_formats.py`. A format that nothing extracts
yet also needs an `Extractor` and its function in `child.py`. Everything else follows from the table: which files of the seeds
folder are documents, what error messages list, which media type a document has. This module imports no library that reads
files.
"""

import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from enum import Enum

from rag.errors import SeedDamaged, SeedEmpty, SeedError, SeedForeign, SeedLocked, SeedTooLarge


class Extractor(Enum):
    """The program that extracts the text. `TEXT` is decoded in this process; `child.py` has the functions of the others."""

    TEXT = "text"
    KREUZBERG = "kreuzberg"
    WEB_PAGE = "web page"
    MAIL = "mail"


class Anchor(Enum):
    """The part of a document that a citation names. Documents of pages, slides or sheets have `Extracted.pages`."""

    CHARACTERS = "the characters of the file"
    PAGE = "the page"
    SLIDE = "the slide"
    SHEET = "the sheet"
    EXTRACTED = "the place in the extracted text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A row of the table. `name` is for people, with its article; `suffixes` are in lower case.

    The other fields say how a file is recognised. One that holds is enough; plain text has none, and is known by its suffix.

    - `magic`: one of these marks is at the start of the file, or within its first `within` bytes.
    - `member`: the file is a zip archive with a member of this name.
    - `mimetype`: the file is a zip archive whose member `mimetype` holds the media type.
    - `opening`: the file begins as this pattern says, whatever its name and encoding.
    - `named`: the file has one of the suffixes, and begins as this pattern says.
    """

    name: str
    media_type: str
    suffixes: tuple[str, ...]
    extractor: Extractor
    anchor: Anchor
    magic: tuple[bytes, ...] = ()
    within: int = 0
    member: str | None = None
    mimetype: bool = False
    opening: re.Pattern[bytes] | None = None
    named: re.Pattern[bytes] | None = None


_ANYTHING = re.compile(b"")
_HTML_START = re.compile(rb"(?:\s|<!--.*?-->|<\?.*?\?>)*<(?:!doctype\s+html|html|head|body)[\s>]", re.DOTALL | re.IGNORECASE)
_MAIL_HEADER = re.compile(rb"\A\s*(?:From .*\r?\n)?[!-9;-~]+[ \t]*:")

TEXT = Format(
    name="a text",
    media_type="text/plain",
    suffixes=(".txt", ".text"),
    extractor=Extractor.TEXT,
    anchor=Anchor.CHARACTERS,
)
MARKDOWN = Format(
    name="a Markdown text",
    media_type="text/markdown",
    suffixes=(".md", ".markdown"),
    extractor=Extractor.TEXT,
    anchor=Anchor.CHARACTERS,
)
# A text, not a table to be drawn anew: a citation opens the row as its author typed it.
CSV = Format(
    name="a CSV file",
    media_type="text/csv",
    suffixes=(".csv",),
    extractor=Extractor.TEXT,
    anchor=Anchor.CHARACTERS,
)
PDF = Format(
    name="a PDF",
    media_type="application/pdf",
    suffixes=(".pdf",),
    extractor=Extractor.KREUZBERG,
    anchor=Anchor.PAGE,
    magic=(b"%PDF-",),
    within=1024,  # the standard lets other bytes stand before it
)
RTF = Format(
    name="a rich text",
    media_type="application/rtf",
    suffixes=(".rtf",),
    extractor=Extractor.KREUZBERG,
    anchor=Anchor.EXTRACTED,
    magic=(b"{\\rtf",),
)
DOCX = Format(
    name="a Word document",
    media_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    suffixes=(".docx",),
    extractor=Extractor.KREUZBERG,
    anchor=Anchor.EXTRACTED,
    member="word/document.xml",
)
PPTX = Format(
    name="a presentation",
    media_type="application/vnd.openxmlformats-officedocument.presentationml.presentation",
    suffixes=(".pptx",),
    extractor=Extractor.KREUZBERG,
    anchor=Anchor.SLIDE,
    member="ppt/presentation.xml",
)
XLSX = Format(
    name="a workbook",
    media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    suffixes=(".xlsx",),
    extractor=Extractor.KREUZBERG,
    anchor=Anchor.SHEET,
    member="xl/workbook.xml",
)
EPUB = Format(
    name="an EPUB",
    media_type="application/epub+zip",
    suffixes=(".epub",),
    extractor=Extractor.KREUZBERG,
    anchor=Anchor.EXTRACTED,
    member="META-INF/container.xml",
    mimetype=True,
)
ODT = Format(
    name="an OpenDocument text",
    media_type="application/vnd.oasis.opendocument.text",
    suffixes=(".odt",),
    extractor=Extractor.KREUZBERG,
    anchor=Anchor.EXTRACTED,
    mimetype=True,
)
HTML = Format(
    name="a web page",
    media_type="text/html",
    suffixes=(".html", ".htm"),
    extractor=Extractor.WEB_PAGE,
    anchor=Anchor.EXTRACTED,
    opening=_HTML_START,
    named=_ANYTHING,
)
MAIL = Format(
    name="a mail",
    media_type="message/rfc822",
    suffixes=(".eml",),
    extractor=Extractor.MAIL,
    anchor=Anchor.EXTRACTED,
    named=_MAIL_HEADER,
)
# Where two rows recognise a file, the first one counts.
FORMATS = (TEXT, MARKDOWN, CSV, PDF, RTF, DOCX, PPTX, XLSX, EPUB, ODT, HTML, MAIL)

_BY_SUFFIX = {suffix: row for row in FORMATS for suffix in row.suffixes}
SUFFIXES = frozenset(_BY_SUFFIX)

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Files that are recognised only so that the refusal can name them.
_FOREIGN = (
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"\x7fELF", "a program"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a", "a RAR archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"%!PS", "a PostScript file"),
)
# A file that begins with one of these is no plain text, whatever its name.
BINARY = (*(mark for row in FORMATS for mark in row.magic), _ZIP, _OLE, *(mark for mark, _ in _FOREIGN))

# Office files unpack to some ten or twenty times their size; a book with its pictures may have a thousand members.
_MOST_MEMBERS = 10_000
_MOST_UNPACKED = 500_000_000
# What `zipfile` raises for damaged archives.
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, ValueError, EOFError, RuntimeError, OverflowError)

HINT_REMOVE = "remove it from the seeds"
HINT_AGAIN = f"get it or save it again, or {HINT_REMOVE}"
HINT_SPLIT = f"split it, or {HINT_REMOVE}"


def as_text(raw: bytes, suffix: str) -> Format | None:
    """The format of a file of plain text, which is decoded and kept as it is; None for any other file."""
    claimed = _BY_SUFFIX.get(suffix)
    return claimed if claimed and claimed.extractor is Extractor.TEXT and not raw.startswith(BINARY) else None


def recognise(raw: bytes, suffix: str) -> Format:
    """The format of a file that is not plain text; `suffix` is in lower case. Opens archives, so it runs in the child process.

    Raises SeedError where the file is of no format that is read, empty, locked, damaged or a zip bomb.
    """
    for row in FORMATS:
        if any(mark in raw[: row.within or len(mark)] for mark in row.magic):
            return row
    if raw.startswith(_ZIP):
        return _packaged(raw)
    if raw.startswith(_OLE):
        raise _old_office(raw)
    for mark, name in _FOREIGN:
        if raw.startswith(mark):
            raise SeedForeign(f"it is {name}", HINT_REMOVE)
    return _written(raw, suffix)


def _packaged(raw: bytes) -> Format:
    """The format of a zip archive, by its members."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            _refuse_bombs(archive)
            names = frozenset(archive.namelist())
            for row in FORMATS:
                if row.member in names:
                    return row
            return _self_described(archive, names)
    except BROKEN as error:
        raise cut_off(error) from error


def _refuse_bombs(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    if any(member.flag_bits & 1 for member in members):
        raise locked()
    if len(members) > _MOST_MEMBERS:
        raise SeedTooLarge(f"it is an archive of more than {_MOST_MEMBERS} files", HINT_REMOVE)
    if sum(member.file_size for member in members) > _MOST_UNPACKED:
        raise SeedTooLarge(f"it unpacks to more than {_MOST_UNPACKED / 1e6:.0f} MB", HINT_SPLIT)


def _self_described(archive: zipfile.ZipFile, names: frozenset[str]) -> Format:
    """The format of an archive that holds its media type in the member `mimetype`, as OpenDocument and EPUB do."""
    stated = archive.open("mimetype").read(100).decode("ascii", "replace").strip() if "mimetype" in names else ""
    row = next((row for row in FORMATS if row.mimetype and row.media_type == stated), None)
    if row is None:
        what = "an OpenDocument file other than a text" if "opendocument" in stated else "a zip archive, and no document"
        raise SeedForeign(f"it is {what}", "save it in another format, or unpack what is in it")
    manifest = "META-INF/manifest.xml"
    if "opendocument" in stated and manifest in names and b"encryption-data" in archive.open(manifest).read(1_000_000):
        raise locked()
    return row


def _old_office(raw: bytes) -> SeedError:
    # A new Office file with a password is an old container around the encrypted one.
    if "EncryptedPackage".encode("utf-16-le") in raw:
        return locked()
    return SeedForeign("it is an old Office file (.doc, .xls, .ppt, .msg)", "save it as .docx, .xlsx, .pptx or .eml")


def _written(raw: bytes, suffix: str) -> Format:
    """The format of text with markup or headers, which has no mark: by how it begins, then by its name."""
    if not raw.strip(b" \t\r\n\x00"):
        raise empty()
    start = raw[:4096].replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")  # as ASCII, if it was UTF-16 or has a mark
    for row in FORMATS:
        if row.opening and row.opening.match(start):
            return row
    claimed = _BY_SUFFIX.get(suffix)
    if claimed and claimed.named and claimed.named.match(raw):
        return claimed
    raise SeedForeign(f"its content is not {claimed.name if claimed else 'a document'} or any supported format", HINT_AGAIN)


def cut_off(error: Exception) -> SeedError:
    """The error for an archive over which Python's `zipfile` raised one of `BROKEN`."""
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return SeedDamaged(f"it is cut off or damaged ({reason})", HINT_AGAIN)


def empty() -> SeedError:
    """The error for a document without text."""
    return SeedEmpty("it is empty", f"write something into it, or {HINT_REMOVE}")


def locked() -> SeedError:
    """The error for a document that only a password opens."""
    return SeedLocked("it is locked with a password", f"save it without one, or {HINT_REMOVE}")
