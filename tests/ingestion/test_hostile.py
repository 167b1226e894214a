"""Files that would break their reader: each gives one line with a hint, and the next file is read."""

import random
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import SeedError
from rag.ingestion import worker
from rag.ingestion.worker import Worker
from tests.ingestion import makers
from tests.ingestion.test_formats import MADE, SENTENCE, said

DEEP = 100_000
LONG = "kata " * 21_000_000  # a little more than kreuzberg unpacks
ODT_BODY = "</office:text>"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
LOCKED_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le") + bytes(100)


def word(body: str, before: str = "") -> bytes:
    document = f'{before}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    return makers.edited(makers.docx(["X"]), "word/document.xml", lambda _: document.encode())


def deep_odt() -> bytes:
    nested = f"{'<text:section>' * DEEP}x{'</text:section>' * DEEP}{ODT_BODY}".encode()
    return makers.edited(makers.odt(["X"]), "content.xml", lambda part: part.replace(ODT_BODY.encode(), nested))


def lied_about(packed: bytes, name: str, size: int) -> bytes:
    """The archive whose directory says that the member is `size` bytes large."""
    out = bytearray(packed)
    at = packed.rindex(b"PK\x01\x02", 0, packed.rindex(name.encode()))
    out[at + 24 : at + 28] = size.to_bytes(4, "little")
    return bytes(out)


ENTITIES = '<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
)
HOSTILE = {
    "encrypted": ("a.pdf", makers.encrypted_pdf, "it is locked with a password; save it without one"),
    "encrypted office": ("a.docx", lambda: LOCKED_OFFICE, "it is locked with a password; save it without one"),
    "empty": ("a.pdf", lambda: b"", "it is empty; write something into it"),
    "no words": ("a.docx", lambda: makers.docx([]), "it is empty; write something into it"),
    "no cells": ("a.xlsx", lambda: makers.xlsx({"Satu": [], "Dua": []}), "it is empty; write something into it"),
    "scanned": ("a.pdf", lambda: makers.pdf([[], []]), "it has 2 scanned pages without text; install the extra `ocr`"),
    "truncated": ("a.pdf", lambda: makers.pdf([[SENTENCE]])[:200], "it is damaged .*; get it or save it again"),
    "truncated office": (
        "a.docx",
        lambda: makers.docx([SENTENCE])[:-30],
        "it is cut off or damaged .*; get it or save it again",
    ),
    "noise": ("a.pdf", lambda: b"%PDF-1.7\n" + random.Random(1).randbytes(5000), "it is damaged .*; get it or save it again"),
    "bomb": ("a.docx", lambda: makers.docx([LONG]), "its unpacked size exceeds the limit .*; split it"),
    "declared bomb": (
        "a.odt",
        lambda: lied_about(makers.odt(["X"]), "content.xml", 501_000_000),
        "it unpacks to more than 500 MB; split it",
    ),
    "lying bomb": ("a.docx", lambda: lied_about(makers.docx([LONG]), "word/document.xml", 1000), "it is cut off or damaged"),
    "many members": (
        "a.docx",
        lambda: makers.zipped(dict.fromkeys(map(str, range(10_001)), "")),
        "it is an archive of more than 10000 files",
    ),
    "deep": ("a.odt", deep_odt, "reading it crashed, or needed more than 2 GB; split it or save it in another format"),
    "entities": ("a.docx", lambda: word("<w:p><w:r><w:t>&j;</w:t></w:r></w:p>", f"{ENTITIES}]>"), "it is empty"),
    "deep array": ("a.pdf", lambda: b"%PDF-1.7\n1 0 obj\n" + b"[" * DEEP, "it is damaged"),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.slow("reads hostile files in child processes")
def test_a_hostile_file_gives_one_line_and_the_next_is_read(kind, monkeypatch):
    monkeypatch.setenv("TESSDATA_PREFIX", "/nonexistent")
    worker.shared.close()
    path, make, line = HOSTILE[kind]
    with pytest.raises(SeedError, match=rf"^{path}: {line}") as caught:
        said(path, make())
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert said("baik.docx", makers.docx([SENTENCE])).text == SENTENCE


@pytest.mark.slow("reads 25 files of each format in the child")
@pytest.mark.parametrize("path", MADE)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_a_truncated_file_is_a_document_or_a_seed_error(path, data):
    raw = MADE[path][: data.draw(st.integers(0, len(MADE[path]) - 1))]
    with suppress(SeedError):
        assert said(path, raw).text.strip()


@pytest.mark.slow("reads 25 files of each format in the child")
@pytest.mark.parametrize("path", MADE)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_a_file_with_changed_bytes_is_a_document_or_a_seed_error(path, data):
    raw = bytearray(MADE[path])
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=5)):
        raw[place] = data.draw(st.integers(0, 255))
    with suppress(SeedError):
        document = said(path, bytes(raw))
        assert document.text.strip()
        assert all(0 <= start <= len(document.text) for start in document.pages)
        assert path == "a.md" or "\x00" not in document.text


def test_a_file_that_takes_too_long_is_given_up():
    slow = Worker(seconds=0.5)
    try:
        with pytest.raises(SeedError, match=r"it takes longer than .* seconds to read; split it"):
            slow.extract(makers.pdf([["Kata kata kata."] * 40] * 4000), ".pdf")
    finally:
        slow.close()


@pytest.mark.slow("reads hostile files in child processes")
def test_a_file_that_needs_too_much_memory_is_given_up_and_the_next_is_read():
    narrow = Worker(memory=500 * 1024**2)
    try:
        with pytest.raises(SeedError, match=r"(needed more than|exceeds the memory limit).*; "):
            narrow.extract(makers.xlsx({"A": [["kata " * 12_000_000]]}), ".xlsx")
        assert narrow.extract(makers.docx([SENTENCE]), ".docx").text == SENTENCE
    finally:
        narrow.close()
