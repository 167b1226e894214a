"""From the bytes of a PDF, an Office file, a book or a rich text to its text, pages and day. Runs in the child process only.

Text is asked for as plain: kreuzberg's Markdown straightens quotation marks and escapes characters, and a citation shows the
words as they are.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rag.errors import SeedDamaged, SeedError, SeedTooLarge
from rag.ingestion import formats, mending, ocr
from rag.ingestion.dates import first_day
from rag.ingestion.wire import Extracted, cleaned

if TYPE_CHECKING:
    from kreuzberg import ExtractionConfig, ExtractionResult

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
            raw = mending.mended(raw)
        except formats.BROKEN as error:
            raise formats.cut_off(error) from error
    result = _read(raw, media_type)
    parts = list(_parts(result, media_type))
    if media_type == formats.PDF and not any(parts):
        parts = [_clean(_read(raw, media_type, scan).content) for scan in ocr.scans(len(parts), beat)]
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
    return mending.restored(cleaned(text).replace("\x02", "-")).strip("\n")


def _read(raw: bytes, media_type: str, scan: ocr.Scan | None = None) -> "ExtractionResult":
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


def _config(scan: ocr.Scan | None) -> "ExtractionConfig":
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
