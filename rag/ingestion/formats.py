"""What a file is, by its bytes first and its name second. Knows no library that reads them."""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Collection

from rag.errors import SeedDamaged, SeedEmpty, SeedError, SeedForeign, SeedLocked, SeedTooLarge

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
EPUB = "application/epub+zip"
RTF = "application/rtf"
HTML = "text/html"
MAIL = "message/rfc822"

# Text keeps its bytes exactly, so these are decoded and nothing else. CSV too: a row as its author typed it is what a citation
# should open, and a table drawn anew is in no file that a person has.
TEXTS = {
    ".txt": "text/plain",
    ".text": "text/plain",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".csv": "text/csv",
}
_NAMED = {
    ".pdf": "a PDF",
    ".docx": "a Word document",
    ".pptx": "a presentation",
    ".xlsx": "a workbook",
    ".odt": "an OpenDocument text",
    ".epub": "an EPUB",
    ".rtf": "a rich text",
    ".html": "a web page",
    ".htm": "a web page",
    ".eml": "a mail",
}
SUFFIXES = frozenset(TEXTS) | frozenset(_NAMED)

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
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
# By a member's name, or by how one begins. OpenDocument and EPUB say what they are in a member of their own.
_PACKAGES = (
    ("word/document.xml", DOCX),
    ("ppt/presentation.xml", PPTX),
    ("xl/workbook.xml", XLSX),
    ("META-INF/container.xml", EPUB),
)
_HTML_START = re.compile(rb"(?:\s|<!--.*?-->|<\?.*?\?>)*<(?:!doctype\s+html|html|head|body)[\s>]", re.DOTALL | re.IGNORECASE)
_HEADER = re.compile(rb"\A\s*(?:From .*\r?\n)?[!-9;-~]+[ \t]*:")
# Office files unpack to some ten or twenty times their size; a book with its pictures may have a thousand members.
_MOST_MEMBERS = 10_000
_MOST_UNPACKED = 500_000_000
_REMOVE = "remove it from the seeds"
_AGAIN = "get it or save it again, or remove it from the seeds"
# What `zipfile` raises for archives that are none.
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, ValueError, EOFError, RuntimeError, OverflowError)


def is_text(raw: bytes, suffix: str) -> bool:
    """Whether the file is decoded and kept as it is: it is named a text, and does not begin like another kind of file."""
    return suffix in TEXTS and not raw.startswith((b"%PDF-", _ZIP, _OLE, b"{\\rtf", *(mark for mark, _ in _FOREIGN)))


def media_type(raw: bytes, suffix: str) -> str:
    """The media type of a file that is no text. Raises SeedError for what cannot be read, and says what it is."""
    if b"%PDF-" in raw[:1024]:  # the standard lets other bytes stand before it
        return PDF
    if raw.startswith(b"{\\rtf"):
        return RTF
    if raw.startswith(_ZIP):
        return _package(raw)
    if raw.startswith(_OLE):
        raise _old_office(raw)
    for mark, name in _FOREIGN:
        if raw.startswith(mark):
            raise SeedForeign(f"it is {name}", _REMOVE)
    return _markup(raw, suffix)


def _markup(raw: bytes, suffix: str) -> str:
    """Web pages and mails have no mark of their own: they begin like one, or are named so."""
    if not raw.strip(b" \t\r\n\x00"):
        raise empty()
    if _HTML_START.match(raw[:4096].replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")):
        return HTML
    if suffix in {".html", ".htm"}:
        return HTML
    if suffix == ".eml" and _HEADER.match(raw):
        return MAIL
    raise SeedForeign(
        f"it is not {_NAMED.get(suffix, 'a document')}, and does not begin like anything that can be read", _AGAIN
    )


def _package(raw: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            _refuse_bombs(archive)
            names = frozenset(archive.namelist())
            for name, kind in _PACKAGES:
                if name in names:
                    return kind
            return _open_document(archive, names)
    except BROKEN as error:
        raise cut_off(error) from error


def _refuse_bombs(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    if any(member.flag_bits & 1 for member in members):
        raise locked()
    if len(members) > _MOST_MEMBERS:
        raise SeedTooLarge(f"it is an archive of more than {_MOST_MEMBERS} files", _REMOVE)
    if sum(member.file_size for member in members) > _MOST_UNPACKED:
        raise SeedTooLarge(f"it unpacks to more than {_MOST_UNPACKED / 1e6:.0f} MB", "split it, or remove it from the seeds")


def _open_document(archive: zipfile.ZipFile, names: Collection[str]) -> str:
    stated = archive.open("mimetype").read(100).decode("ascii", "replace").strip() if "mimetype" in names else ""
    if stated == EPUB:
        return EPUB
    if stated != ODT:
        what = "an OpenDocument file other than a text" if "opendocument" in stated else "a zip archive, and no document"
        raise SeedForeign(f"it is {what}", "save it in another format, or unpack what is in it")
    if "META-INF/manifest.xml" in names and b"encryption-data" in archive.open("META-INF/manifest.xml").read(1_000_000):
        raise locked()
    return ODT


def cut_off(error: Exception) -> SeedError:
    """The refusal of an archive that Python's `zipfile` fails on with one of `BROKEN`."""
    said = " ".join(str(error).split())[:120] or type(error).__name__
    return SeedDamaged(f"it is cut off or damaged ({said})", _AGAIN)


def empty() -> SeedEmpty:
    """The refusal of a document that says nothing."""
    return SeedEmpty("it is empty", "write something into it, or remove it from the seeds")


def locked() -> SeedError:
    """The refusal of a document that only a password opens."""
    return SeedLocked("it is locked with a password", "save it without one, or remove it from the seeds")


def _old_office(raw: bytes) -> SeedError:
    # A new Office file with a password is an old container around the encrypted one.
    if "EncryptedPackage".encode("utf-16-le") in raw:
        return locked()
    return SeedForeign("it is an old Office file (.doc, .xls, .ppt, .msg)", "save it as .docx, .xlsx, .pptx or .eml")
