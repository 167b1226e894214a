"""Whether scanned pages can be read here: kreuzberg brings Tesseract itself, but not what Tesseract knows of languages."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rag.errors import SeedScanned, SeedTooLarge

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
_MEND = "install the extra `ocr` (`pip install '.[ocr]'`) or `apt install tesseract-ocr-ind`, or remove it from the seeds"


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
        raise SeedScanned(f"it has {pages}", _MEND)
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
