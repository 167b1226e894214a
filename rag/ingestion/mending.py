"""What kreuzberg 4.10.4 loses of Word and OpenDocument texts, put where it sees it. Pure.

In Word it drops every `&amp;`, `&lt;`, `&gt;`, `&quot;` and character reference, so that "R&D" came out as "RD", and tabs and
page breaks, so that "Nama<w:tab/>Ani" came out as "NamaAni"; in OpenDocument, repeated spaces. A citation must show what stands
there.
"""

import html
import io
import re
import zipfile

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
