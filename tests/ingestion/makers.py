"""The smallest valid file of each format, with given words in it: real bytes, made without the libraries that read them."""

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage
from html import escape

_OFFICE = "http://schemas.openxmlformats.org"
_RELATIONS = f"{_OFFICE}/officeDocument/2006/relationships"
_XML = '<?xml version="1.0" encoding="UTF-8"?>'
STATED = "2024-05-06T07:08:09Z"


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    """A zip archive of the members, always the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def edited(raw: bytes, name: str, edit: Callable[[bytes], bytes]) -> bytes:
    """The archive with one member changed."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    return zipped(members | {name: edit(members[name])})


def pdf(pages: Sequence[Sequence[str]], info: str = "/CreationDate (D:20240506070809Z)", trailer: str = "") -> bytes:
    """A PDF: a list of lines a page, in characters of cp1252. A page without lines bears only a grey box, like a scan."""
    kids = " ".join(f"{5 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        f"<< {info} >>".encode(),
    ]
    for number, lines in enumerate(pages):
        objects += [_page(6 + 2 * number), _stream(_drawn(lines))]
    return _numbered(objects, f"/Root 1 0 R /Info 4 0 R {trailer}")


def _page(content: int) -> bytes:
    resources = "/Resources << /Font << /F1 3 0 R >> >>"
    return f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] {resources} /Contents {content} 0 R >>".encode()


def _stream(content: bytes) -> bytes:
    packed = zlib.compress(content)
    return b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(packed), packed)


def _drawn(lines: Sequence[str]) -> bytes:
    if not lines:
        return b"0.5 g 100 100 300 500 re f"
    shown = [line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for line in lines]
    return ("BT /F1 12 Tf 14 TL 72 780 Td\n" + "\n".join(f"({line}) Tj T*" for line in shown) + "\nET").encode("cp1252")


def _numbered(objects: Sequence[bytes], trailer: str) -> bytes:
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += "".join(f"{place:010} 00000 n \n" for place in places).encode()
    out += f"trailer\n<< /Size {len(objects) + 1} {trailer} >>\nstartxref\n{table}\n%%EOF\n".encode()
    return bytes(out)


def encrypted_pdf() -> bytes:
    """A PDF whose password nobody knows: the values of its dictionary are noise."""
    noise = "AB" * 32
    lock = f"/Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O <{noise}> /U <{noise}>"
    return pdf([["Rahasia."]], trailer=f"/Encrypt << {lock} >> /ID [<{'CD' * 16}> <{'CD' * 16}>]")


def docx(paragraphs: Sequence[str], created: str = STATED, table: Sequence[Sequence[str]] = ()) -> bytes:
    """A Word document of paragraphs, and then a table."""
    body = "".join(f"<w:p><w:r><w:t>{escape(text)}</w:t></w:r></w:p>" for text in paragraphs)
    if table:
        body += f"<w:tbl>{''.join(_docx_row(row) for row in table)}</w:tbl>"
    content = f'<w:document xmlns:w="{_OFFICE}/wordprocessingml/2006/main"><w:body>{body}</w:body></w:document>'
    return _package({"word/document.xml": content}, "wordprocessingml.document.main", created)


def _docx_row(row: Sequence[str]) -> str:
    return f"<w:tr>{''.join(f'<w:tc><w:p><w:r><w:t>{escape(cell)}</w:t></w:r></w:p></w:tc>' for cell in row)}</w:tr>"


def pptx(slides: Sequence[Sequence[str]], created: str = STATED) -> bytes:
    """A presentation: a list of paragraphs a slide."""
    names = [f"slides/slide{number}.xml" for number in range(1, len(slides) + 1)]
    ids = "".join(f'<p:sldId id="{256 + number}" r:id="rId{number}"/>' for number in range(1, len(slides) + 1))
    space = f'xmlns:p="{_OFFICE}/presentationml/2006/main" xmlns:a="{_OFFICE}/drawingml/2006/main" xmlns:r="{_RELATIONS}"'
    parts = {
        "ppt/presentation.xml": f"<p:presentation {space}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": _relations([("slide", name) for name in names]),
    }
    for name, paragraphs in zip(names, slides, strict=True):
        text = "".join(f"<a:p><a:r><a:t>{escape(paragraph)}</a:t></a:r></a:p>" for paragraph in paragraphs)
        shape = f"<p:sp><p:nvSpPr/><p:spPr/><p:txBody><a:bodyPr/>{text}</p:txBody></p:sp>"
        parts[f"ppt/{name}"] = f"<p:sld {space}><p:cSld><p:spTree>{shape}</p:spTree></p:cSld></p:sld>"
    return _package(parts, "presentationml.presentation.main", created)


def xlsx(sheets: Mapping[str, Sequence[Sequence[str]]], created: str = STATED) -> bytes:
    """A workbook: rows of text by the name of their sheet."""
    space = f'xmlns="{_OFFICE}/spreadsheetml/2006/main" xmlns:r="{_RELATIONS}"'
    named = "".join(f'<sheet name="{name}" sheetId="{at}" r:id="rId{at}"/>' for at, name in enumerate(sheets, 1))
    parts = {
        "xl/workbook.xml": f"<workbook {space}><sheets>{named}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": _relations(
            [("worksheet", f"worksheets/sheet{at}.xml") for at in range(1, len(sheets) + 1)]
        ),
    }
    for at, rows in enumerate(sheets.values(), 1):
        cells = "".join(f'<row r="{n}">{_xlsx_row(n, row)}</row>' for n, row in enumerate(rows, 1))
        parts[f"xl/worksheets/sheet{at}.xml"] = f"<worksheet {space}><sheetData>{cells}</sheetData></worksheet>"
    return _package(parts, "spreadsheetml.sheet.main", created)


def _xlsx_row(number: int, row: Sequence[str]) -> str:
    columns = zip("ABCDEFGHIJ", row, strict=False)
    return "".join(f'<c r="{name}{number}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>' for name, cell in columns)


def _package(parts: Mapping[str, str], kind: str, created: str) -> bytes:
    """An Office file: the first part is the one that the others hang on."""
    main = next(iter(parts))
    core = "http://schemas.openxmlformats.org/package/2006/metadata/core-properties"
    relation = "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties"
    types = f'<Override PartName="/{main}" ContentType="application/vnd.openxmlformats-officedocument.{kind}+xml"/>'
    return zipped(
        {
            "[Content_Types].xml": f'{_XML}<Types xmlns="{_OFFICE}/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Default Extension="xml" ContentType="application/xml"/>{types}</Types>',
            "_rels/.rels": _relations([("officeDocument", main), (relation, "docProps/core.xml")]),
            "docProps/core.xml": f'{_XML}<cp:coreProperties xmlns:cp="{core}" xmlns:dcterms="http://purl.org/dc/terms/" '
            f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><dcterms:created xsi:type="dcterms:W3CDTF">{created}'
            "</dcterms:created></cp:coreProperties>",
        }
        | {name: _XML + content for name, content in parts.items()}
    )


def _relations(targets: Sequence[tuple[str, str]]) -> str:
    """Relations rId1, rId2, ... to targets; a type without a slash is one of Office's own."""
    listed = "".join(
        f'<Relationship Id="rId{number}" Type="{kind if "/" in kind else f"{_RELATIONS}/{kind}"}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'{_XML}<Relationships xmlns="{_OFFICE}/package/2006/relationships">{listed}</Relationships>'


def odt(paragraphs: Sequence[str], created: str = STATED) -> bytes:
    """An OpenDocument text of paragraphs."""
    space = "urn:oasis:names:tc:opendocument:xmlns"
    kind = "application/vnd.oasis.opendocument.text"
    body = "".join(f"<text:p>{escape(paragraph)}</text:p>" for paragraph in paragraphs)
    names = (
        f'xmlns:office="{space}:office:1.0" xmlns:text="{space}:text:1.0" xmlns:meta="{space}:meta:1.0" office:version="1.2"'
    )
    entry = f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
    entry += '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>'
    return zipped(
        {
            "mimetype": kind,
            "META-INF/manifest.xml": f"{_XML}<manifest:manifest {names}>{entry}</manifest:manifest>",
            "content.xml": f"{_XML}<office:document-content {names}><office:body><office:text>{body}"
            "</office:text></office:body></office:document-content>",
            "meta.xml": f"{_XML}<office:document-meta {names}><office:meta><meta:creation-date>{created}</meta:creation-date>"
            "</office:meta></office:document-meta>",
        }
    )


def epub(chapters: Sequence[Sequence[str]], date: str = STATED) -> bytes:
    """A book: a list of paragraphs a chapter."""
    names = [f"bab{number}.xhtml" for number in range(1, len(chapters) + 1)]
    items = "".join(f'<item id="i{at}" href="{name}" media-type="application/xhtml+xml"/>' for at, name in enumerate(names))
    spine = "".join(f'<itemref idref="i{at}"/>' for at in range(len(names)))
    container = '<rootfile full-path="OEBPS/isi.opf" media-type="application/oebps-package+xml"/>'
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": f'{_XML}<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
            f"<rootfiles>{container}</rootfiles></container>",
            "OEBPS/isi.opf": f'{_XML}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">'
            f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">x</dc:identifier>'
            f"<dc:title>Buku</dc:title><dc:language>id</dc:language><dc:date>{date}</dc:date></metadata><manifest>{items}</manifest>"
            f"<spine>{spine}</spine></package>",
        }
        | {
            f"OEBPS/{name}": f'{_XML}<html xmlns="http://www.w3.org/1999/xhtml"><head><title>Bab</title></head>'
            f"<body>{_html_body(paragraphs)}</body></html>"
            for name, paragraphs in zip(names, chapters, strict=True)
        }
    )


def html(paragraphs: Sequence[str], head: str = "", charset: str = "utf-8") -> bytes:
    """A page of paragraphs."""
    page = f'<!DOCTYPE html>\n<html lang="id"><head><meta charset="{charset}"><title>Judul</title>{head}</head>\n'
    return (page + f"<body>{_html_body(paragraphs)}</body></html>\n").encode(charset)


def _html_body(paragraphs: Sequence[str]) -> str:
    return "\n".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)


def rtf(paragraphs: Sequence[str], info: str = r"{\info{\creatim\yr2024\mo5\dy6\hr7\min8}}") -> bytes:
    """A rich text of paragraphs; characters beyond ASCII as \\u."""
    body = "".join("".join(c if c < "\x80" else rf"\u{ord(c)}?" for c in text) + "\\par\n" for text in paragraphs)
    return (r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Arial;}}" + info + "\n" + body + "}").encode("ascii")


def eml(paragraphs: Sequence[str], date: str = "Mon, 06 May 2024 07:08:09 +0000") -> bytes:
    """A mail with a plain body, which is sent in base64."""
    mail = EmailMessage()
    mail["Subject"] = "Kabar"
    mail["From"] = "Ani <ani@example.org>"
    mail["To"] = "Budi <budi@example.org>"
    mail["Date"] = date
    mail.set_content("\n\n".join(paragraphs) + "\n", cte="base64")
    return mail.as_bytes()
