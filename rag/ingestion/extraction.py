"""What kreuzberg 4.10.4 loses of Word and OpenDocument texts, put where it sees it. Pure.

In Word it drops every `&amp;`, `&lt;`, `&gt;`, `&quot;` and character reference, so that "R&D" came out as "RD", and tabs and
page breaks, so that "Nama<w:tab/>Ani" came out as "NamaAni"; in OpenDocument, repeated spaces. A citation must show what stands
there.

Whether scanned pages can be read here: kreuzberg brings Tesseract itself, but not what Tesseract knows of languages.

From the bytes of a PDF, an Office file, a book or a rich text to its text, pages and day. Runs in the child process only.

Text is asked for as plain: kreuzberg's Markdown straightens quotation marks and escapes characters, and a citation shows the
words as they are.
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
from rag.ingestion.wire import Extracted, cleaned

if TYPE_CHECKING:
    from kreuzberg import ExtractionConfig, ExtractionResult

# No character may ever have these numbers, so no text holds them.
_STAND_INS = {"&": "\ufdd0", "<": "\ufdd1", ">": "\ufdd2", '"': "\ufdd3", "'": "\ufdd4"}
_RESTORING = str.maketrans({stand_in: character for character, stand_in in _STAND_INS.items()})
_REFERENCE = re.compile(rb"&(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
_WORD = (
    (re.compile(rb"<w:tab\s*/>|<w:ptab\s[^>]*/>"), b'<w:t xml:space="preserve">\t</w:t>'),
    (re.compile(rb'<w:br w:type="(?:page|column)"\s*/>|<w:cr\s*/>'), b"<w:br/>"),
    (re.compile(rb"<w:noBreakHyphen\s*/>"), "<w:t>\u2011</w:t>".encode()),
)
_SPACES = re.compile(rb'<text:s(?:\s+text:c="\d+")?\s*/>')


def mended(raw: bytes) -> bytes:
    """The package, unpacked and mended. Raises one of `formats.BROKEN` where it is damaged."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as source, zipfile.ZipFile(target, "w") as copy:
        for member in source.infolist():
            copy.writestr(member, _member(member.filename, source.read(member)), zipfile.ZIP_STORED)
    return target.getvalue()


def restored(text: str) -> str:
    """The text with its own characters in place of those that stood in for them."""
    return text.translate(_RESTORING)


def _member(name: str, content: bytes) -> bytes:
    if name.startswith("word/") and name.endswith(".xml"):
        for lost, seen in _WORD:
            content = lost.sub(seen, content)
        return _REFERENCE.sub(_stand_in, content)
    return _SPACES.sub(b" ", content) if name == "content.xml" else content


def _stand_in(reference: re.Match[bytes]) -> bytes:
    character = html.unescape(reference[0].decode("ascii"))
    return _STAND_INS.get(character, character).encode()


# Where the extra `ocr` (English) and systems put the language data; the variable is Tesseract's own, and names one folder.
_VARIABLE = "TESSDATA_PREFIX"
_FOLDERS = (
    f"{sys.prefix}/share/tessdata",
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tesseract/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)
# Data for the orientation of pages and for equations: no languages.
_NO_LANGUAGES = frozenset({"osd", "equ"})
# A page takes one to three seconds, so this is a quarter of an hour.
_MOST_PAGES = 500
_HINT = "install the extra `ocr` (`pip install '.[ocr]'`) or `apt install tesseract-ocr-ind`, or remove it from the seeds"


@dataclass(frozen=True, slots=True)
class Scan:
    """One page to be read from its picture: its number from 1, and the languages to look for (`eng+ind`)."""

    page: int
    languages: str


def scans(count: int, beat: Callable[[], None]) -> Iterator[Scan]:
    """The pages of a document of pictures, one by one; `beat` is called before each.

    Raises SeedError where Tesseract has no language here, or the pages are too many.
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
    """The languages of the folder that has the most, as Tesseract wants them named; empty where none has any."""
    chosen = os.environ.get(_VARIABLE)
    found = {folder: _names(folder) for folder in ([chosen] if chosen else _FOLDERS)}
    folder = max(found, key=lambda folder: len(found[folder]))
    os.environ[_VARIABLE] = folder
    return "+".join(found[folder])


def _names(folder: str) -> list[str]:
    return sorted(file.stem for file in Path(folder).glob("*.traineddata") if file.stem not in _NO_LANGUAGES)


_PARTING = "\n\n"
# A record separator cannot stand in XML, so no slide holds one. The offsets that kreuzberg 4.10.4 gives for slides are off by
# some bytes.
_SLIDE = "\x1e"
_AGAIN = "get it or save it again, or remove it from the seeds"


def extract(raw: bytes, media_type: str, beat: Callable[[], None]) -> Extracted:
    """What the file says. `beat` is called before each page that takes long.

    Raises SeedError where the file is damaged or locked, or holds pictures only.
    """
    if media_type in {formats.DOCX, formats.ODT}:
        try:
            raw = mended(raw)
        except formats.BROKEN as error:
            raise formats.cut_off(error) from error
    result = _read(raw, media_type)
    parts = list(_parts(result, media_type))
    if media_type == formats.PDF and not any(parts):
        parts = [_clean(_read(raw, media_type, scan).content) for scan in scans(len(parts), beat)]
    text, starts = joined(parts)
    stated = first_day(result.metadata.get(name) for name in ("created_at", "modified_at"))
    return Extracted(text, stated, starts if media_type in {formats.PDF, formats.PPTX, formats.XLSX} else ())


def joined(parts: Sequence[str]) -> tuple[str, tuple[int, ...]]:
    """The pages as one text, and where each begins."""
    starts, length = [], 0
    for part in parts:
        starts.append(length)
        length += len(part) + len(_PARTING)
    return _PARTING.join(parts), tuple(starts)


def _parts(result: "ExtractionResult", media_type: str) -> Iterator[str]:
    """The text of each page, slide or sheet; of others, the whole."""
    if media_type == formats.PDF:
        yield from (_clean(page["content"]) for page in result.pages or [])
    elif media_type == formats.PPTX:
        yield from (_clean(slide) for slide in result.content.removeprefix(_SLIDE).split(_SLIDE))
    elif media_type == formats.XLSX:
        yield from _sheets(result)
    else:
        yield _clean(_with_tables(result))


def _sheets(result: "ExtractionResult") -> Iterator[str]:
    tables = {table.page_number: table.cells for table in result.tables}
    for number, name in enumerate(result.metadata.get("sheet_names", []), 1):
        rows = _clean(_rows(tables.get(number, [])))
        yield f"{name}{_PARTING}{rows}" if rows else ""


def _with_tables(result: "ExtractionResult") -> str:
    """The content with a tab between cells: kreuzberg puts a space, so that nobody sees where a cell ends."""
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
    # Where a PDF breaks a word over two lines pdfium gives U+0002 for the hyphen that is printed there.
    return restored(cleaned(text).replace("\x02", "-")).strip("\n")


def _read(raw: bytes, media_type: str, scan: Scan | None = None) -> "ExtractionResult":
    kreuzberg = _library()
    try:
        result: ExtractionResult = kreuzberg.extract_bytes_sync(raw, media_type, _config(scan))
    except kreuzberg.KreuzbergError as error:
        raise _refusal(" ".join(str(error).split())) from error
    return result


def _refusal(said: str) -> SeedError:
    """What kreuzberg said, in our words."""
    if "password" in said.lower():
        return formats.locked()
    if "limit exceeded" in said.lower():
        return SeedTooLarge(f"it unpacks to more than is read ({said.rpartition('exceeded: ')[2][:150]})", "split it")
    return SeedDamaged(f"it is damaged ({said.rpartition(': ')[2][:150]})", _AGAIN)


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
    """kreuzberg, without the engines that fetch their models from the network when Tesseract reads nothing."""
    import kreuzberg

    for engine in ("paddle-ocr", "vlm"):
        kreuzberg.unregister_ocr_backend(engine)
    return kreuzberg
