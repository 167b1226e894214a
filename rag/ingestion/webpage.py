"""From the bytes of a web page to its text and the date it states.

Python's own parser reads the page: kreuzberg 4.10.4 drops text outside of paragraphs (`<h2>a</h2>b<p>c</p>` loses b), which no
question could then find.
"""

import codecs
import re
from html.parser import HTMLParser

from rag.ingestion.dates import first_day
from rag.ingestion.wire import Extracted, cleaned

# Separators between two pieces of text, weakest first. Where several elements ask for one, the strongest is written.
_GAPS = ("", " ", "\t", "\n", "\n\n")
_NONE, _SPACE, _CELL, _LINE, _PARAGRAPH = range(5)
_HIDDEN = frozenset({"script", "style", "template", "title"})
_LINES = frozenset({"li", "dt", "dd", "tr", "option", "figcaption", "caption"})
_BLOCKS = frozenset(
    {
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "details",
        "dialog",
        "div",
        "dl",
        "fieldset",
        "figure",
        "footer",
    }
    | {
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "legend",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
    }
    | {"table", "tbody", "tfoot", "thead", "ul"}
)
_WHITE = re.compile(r"[ \t\n\r\f]+")
# `<![if !supportLists]>` in pages saved by Word: Python's parser fails on some of them.
_MARKED = re.compile(r"<!\[[^>]*>")
_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)|<\?xml[^>]+encoding\s*=\s*[\"']([\w.:-]+)", re.IGNORECASE)
# The meta elements in which pages state their date, best first.
_DATES = (
    "article:published_time",
    "datepublished",
    "date",
    "dc.date",
    "dcterms.created",
    "dcterms.date",
    "dc.date.created",
    "publish-date",
    "pubdate",
    "article:modified_time",
    "datemodified",
    "dcterms.modified",
    "last-modified",
)


def extract(raw: bytes) -> Extracted:
    """The visible text of the page, and its date. Raises SeedError for bytes that are not text."""
    page = _read(decoded(raw))
    return Extracted("".join(page.pieces), first_day(page.dates.get(name) for name in _DATES))


def text_of(markup: str) -> str:
    """The visible text of a decoded page."""
    return "".join(_read(markup).pieces)


def _read(markup: str) -> "_Page":
    page = _Page()
    page.feed(_MARKED.sub("", cleaned(markup)))
    page.close()
    return page


def decoded(raw: bytes) -> str:
    """The page's characters: by a byte order mark, as UTF-8, in the encoding it states, or by detection."""
    # Imported here: detection loads a language model, which few pages need.
    from rag.ingestion.decoding import decode

    if raw.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return decode(raw)[0]
    for encoding in ["utf-8", *_stated(raw)]:
        try:
            return raw.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return decode(raw)[0]


def _stated(raw: bytes) -> list[str]:
    match = _CHARSET.search(raw[:4096])
    name = (match[1] or match[2]).decode("ascii").lower() if match else ""
    # As in browsers: pages that state Latin-1 are in the Western code page.
    return [{"iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252"}.get(name, name)] if name else []


class _Page(HTMLParser):
    """Collects the visible text with its breaks, and the values of the meta elements."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.dates: dict[str, str] = {}
        self._gap = _NONE
        self._hidden = ""
        self._verbatim = False
        self._fresh_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":
            self._hidden = ""  # a title without an end tag hides the head only
        if tag in _HIDDEN:
            self._hidden = tag
        elif tag == "meta":
            self._note_date(dict(attrs))
        elif tag == "br":
            self._part(_PARAGRAPH if self._gap >= _LINE else _LINE)
        elif tag in {"td", "th"}:
            self._part(_CELL)
            self._fresh_cell = True
        else:
            self._verbatim = self._verbatim or tag == "pre"
            self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._hidden:
            self._hidden = ""
        elif tag in {"td", "th"}:
            # A paragraph that ends the cell adds no break: the next cell is on the same line.
            self._gap = self._gap if self._fresh_cell else _NONE
        else:
            self._verbatim = self._verbatim and tag != "pre"
            self._break(tag)

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._verbatim:
            self._write(data)
            return
        words = _WHITE.sub(" ", data)
        if words.startswith(" "):
            self._part(_SPACE)
        if core := words.strip(" "):
            self._write(core)
        if words.endswith(" "):
            self._part(_SPACE)

    def _break(self, tag: str) -> None:
        if tag in {"tr", "table"}:
            self._fresh_cell = False
        if tag in _LINES:
            self._part(_LINE)
        elif tag in _BLOCKS:
            self._part(_PARAGRAPH)

    def _part(self, gap: int) -> None:
        if not self._fresh_cell:
            self._gap = max(self._gap, gap)

    def _write(self, text: str) -> None:
        if self.pieces:
            self.pieces.append(_GAPS[self._gap])
        self.pieces.append(text)
        self._gap = _NONE
        self._fresh_cell = False

    def _note_date(self, attributes: dict[str, str | None]) -> None:
        for key in ("property", "name", "itemprop", "http-equiv"):
            if name := attributes.get(key):
                self.dates.setdefault(name.lower(), attributes.get("content") or "")
