"""From the bytes of a PDF, an Office file, a book or a rich text to its text, pages and date. Runs in the child process only.

kreuzberg reads the files. It is asked for plain text, because its Markdown straightens quotation marks and escapes characters,
and a citation shows the words as they are. Three things are added to what it does:

- `_parts` divides the text into pages, slides or sheets, and puts a tab between the cells of a table.
- `repaired` works around characters that kreuzberg 4.10.4 drops from Word and OpenDocument texts. It drops every `&amp;`,
  `&lt;`, `&gt;`, `&quot;` and character reference of Word, so that "R&D" came out as "RD"; its tabs and page breaks, so that
  "Nama<w:tab/>Ani" came out as "NamaAni"; and repeated spaces of OpenDocument.
- `scans` finds the languages for a scanned PDF: kreuzberg brings Tesseract, but not Tesseract's language data.
"""

import html
import io
import os
import re
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rag.errors import SeedDamaged, SeedError, SeedScanned, SeedTooLarge
from rag.ingestion import formats
from rag.ingestion.dates import first_day
from rag.ingestion.formats import Anchor, Format
from rag.ingestion.wire import Extracted, cleaned

if TYPE_CHECKING:
    from kreuzberg import ExtractionConfig, ExtractionResult

_PARTING = "\n\n"
_PAGED = frozenset({Anchor.PAGE, Anchor.SLIDE, Anchor.SHEET})
# A record separator cannot occur in XML, so no slide contains one. The offsets that kreuzberg 4.10.4 gives for slides are wrong
# by some bytes.
_SLIDE = "\x1e"


def extract(raw: bytes, row: Format, beat: Callable[[], None]) -> Extracted:
    """The text, pages and stated day of a file of the format `row`. `beat` is called before each page that takes long.

    Raises SeedError where the file is damaged or locked, or has pictures only.
    """
    if row in {formats.DOCX, formats.ODT}:
        try:
            raw = repaired(raw)
        except formats.BROKEN as error:
            raise formats.cut_off(error) from error
    result = _read(raw, row)
    parts = list(_parts(result, row.anchor))
    if row is formats.PDF and not any(parts):
        parts = [_clean(_read(raw, row, scan).content) for scan in scans(len(parts), beat)]
    text, starts = joined(parts)
    stated = first_day(result.metadata.get(name) for name in ("created_at", "modified_at"))
    return Extracted(text, stated, starts if row.anchor in _PAGED else ())


def joined(parts: Sequence[str]) -> tuple[str, tuple[int, ...]]:
    """The pages as one text, and the offset at which each begins."""
    starts, length = [], 0
    for part in parts:
        starts.append(length)
        length += len(part) + len(_PARTING)
    return _PARTING.join(parts), tuple(starts)


def _parts(result: "ExtractionResult", anchor: Anchor) -> Iterator[str]:
    """The text of each page, slide or sheet; of other documents, the whole text."""
    match anchor:
        case Anchor.PAGE:
            yield from (_clean(page["content"]) for page in result.pages or [])
        case Anchor.SLIDE:
            yield from (_clean(slide) for slide in result.content.removeprefix(_SLIDE).split(_SLIDE))
        case Anchor.SHEET:
            yield from _sheets(result)
        case _:
            yield _clean(_with_tables(result))


def _sheets(result: "ExtractionResult") -> Iterator[str]:
    tables = {table.page_number: table.cells for table in result.tables}
    for number, name in enumerate(result.metadata.get("sheet_names", []), 1):
        rows = _clean(_rows(tables.get(number, [])))
        yield f"{name}{_PARTING}{rows}" if rows else ""


def _with_tables(result: "ExtractionResult") -> str:
    """The content with a tab between cells. kreuzberg puts a space, so that the end of a cell cannot be seen."""
    pieces, text = [], result.content
    for table in result.tables:
        plain = "\n".join(" ".join(row) for row in table.cells)
        before, found, text_after = text.partition(plain)
        if found and plain:
            pieces += [before, _rows(table.cells)]
            text = text_after
    return "".join([*pieces, text])


def _rows(cells: Sequence[Sequence[str]]) -> str:
    return "\n".join("\t".join(row).rstrip("\t") for row in cells)


def _clean(text: str) -> str:
    # Where a PDF breaks a word over two lines, pdfium gives U+0002 for the printed hyphen.
    return restored(cleaned(text).replace("\x02", "-")).strip("\n")


@dataclass(frozen=True, slots=True)
class Scan:
    """A page to be read from its picture: its number from 1, and the languages that Tesseract looks for (`eng+ind`)."""

    page: int
    languages: str


def _read(raw: bytes, row: Format, scan: Scan | None = None) -> "ExtractionResult":
    kreuzberg = _library()
    try:
        result: ExtractionResult = kreuzberg.extract_bytes_sync(raw, row.media_type, _config(scan))
    except kreuzberg.KreuzbergError as error:
        raise _translated(" ".join(str(error).split())) from error
    return result


def _translated(message: str) -> SeedError:
    """Our error for a message of kreuzberg's."""
    if "password" in message.lower():
        return formats.locked()
    if "limit exceeded" in message.lower():
        return SeedTooLarge(f"its unpacked size exceeds the limit ({message.rpartition('exceeded: ')[2][:150]})", "split it")
    return SeedDamaged(f"it is damaged ({message.rpartition(': ')[2][:150]})", formats.HINT_AGAIN)


def _config(scan: Scan | None) -> "ExtractionConfig":
    kreuzberg = _library()
    reading: dict[str, Any] = {"disable_ocr": True}
    if scan:
        tesseract = kreuzberg.TesseractConfig(language=scan.languages, output_format="text", use_cache=False)
        engine = kreuzberg.OcrConfig(backend="tesseract", language=scan.languages, tesseract_config=tesseract)
        reading = {"ocr": engine, "force_ocr_pages": [scan.page]}
    config: ExtractionConfig = kreuzberg.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        output_format="plain",
        pages=kreuzberg.PageConfig(extract_pages=True, insert_page_markers=not scan, marker_format=_SLIDE),
        postprocessor=kreuzberg.PostProcessorConfig(enabled=False),
        content_filter=kreuzberg.ContentFilterConfig(
            include_headers=True, include_footers=True, include_watermarks=True, strip_repeating_text=False
        ),
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
        **reading,
    )
    return config


@cache
def _library() -> ModuleType:
    """The library, without the engines that download their models where Tesseract reads nothing."""
    import kreuzberg

    for engine in ("paddle-ocr", "vlm"):
        kreuzberg.unregister_ocr_backend(engine)
    return kreuzberg


# These numbers are reserved and never characters, so no text contains them.
_STAND_INS = {"&": "\ufdd0", "<": "\ufdd1", ">": "\ufdd2", '"': "\ufdd3", "'": "\ufdd4"}
_RESTORING = str.maketrans({stand_in: character for character, stand_in in _STAND_INS.items()})
_REFERENCE = re.compile(rb"&(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
_WORD = (
    (re.compile(rb"<w:tab\s*/>|<w:ptab\s[^>]*/>"), b'<w:t xml:space="preserve">\t</w:t>'),
    (re.compile(rb'<w:br w:type="(?:page|column)"\s*/>|<w:cr\s*/>'), b"<w:br/>"),
    (re.compile(rb"<w:noBreakHyphen\s*/>"), "<w:t>\u2011</w:t>".encode()),
)
_SPACES = re.compile(rb'<text:s(?:\s+text:c="\d+")?\s*/>')


def repaired(raw: bytes) -> bytes:
    """The Word or OpenDocument file, stored unpacked, with what kreuzberg drops replaced by what it keeps.

    `restored` undoes this in the extracted text. Raises one of `formats.BROKEN` where the archive is damaged.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as source, zipfile.ZipFile(target, "w") as copy:
        for member in source.infolist():
            copy.writestr(member, _member(member.filename, source.read(member)), zipfile.ZIP_STORED)
    return target.getvalue()


def restored(text: str) -> str:
    """The text with the characters that `repaired` replaced."""
    return text.translate(_RESTORING)


def _member(name: str, content: bytes) -> bytes:
    if name.startswith("word/") and name.endswith(".xml"):
        for dropped, kept in _WORD:
            content = dropped.sub(kept, content)
        return _REFERENCE.sub(_stand_in, content)
    return _SPACES.sub(b" ", content) if name == "content.xml" else content


def _stand_in(reference: re.Match[bytes]) -> bytes:
    character = html.unescape(reference[0].decode("ascii"))
    return _STAND_INS.get(character, character).encode()


# Tesseract's own variable: the one folder that holds its language data.
_VARIABLE = "TESSDATA_PREFIX"
# Where the extra `ocr` (English) and systems install the language data.
_FOLDERS = (
    f"{sys.prefix}/share/tessdata",
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tesseract/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)
# Data for the orientation of pages and for equations, which are no languages.
_NO_LANGUAGES = frozenset({"osd", "equ"})
# A page takes one to three seconds, so this is a quarter of an hour.
_MOST_PAGES = 500
_HINT = f"install the extra `ocr` (`pip install '.[ocr]'`) or `apt install tesseract-ocr-ind`, or {formats.HINT_REMOVE}"


def scans(count: int, beat: Callable[[], None]) -> Iterator[Scan]:
    """The `count` pages of a scanned document, one by one; `beat` is called before each.

    Raises SeedError where Tesseract has no language data, or the pages are too many.
    """
    languages = _languages()
    pages = f"{count} scanned page{'s' if count > 1 else ''} without text"
    if not languages:
        raise SeedScanned(f"it has {pages}", _HINT)
    if count > _MOST_PAGES:
        raise SeedTooLarge(
            f"it has {pages}, more than the {_MOST_PAGES} that are read", "split it, or run it through OCR first"
        )
    for page in range(1, count + 1):
        beat()
        yield Scan(page, languages)


def _languages() -> str:
    """The languages of the folder that has the most, in Tesseract's notation; empty where no folder has any."""
    chosen = os.environ.get(_VARIABLE)
    found = {folder: _names(folder) for folder in ([chosen] if chosen else _FOLDERS)}
    folder = max(found, key=lambda folder: len(found[folder]))
    os.environ[_VARIABLE] = folder
    return "+".join(found[folder])


def _names(folder: str) -> list[str]:
    return sorted(file.stem for file in Path(folder).glob("*.traineddata") if file.stem not in _NO_LANGUAGES)
