"""The program of the child process: what it answers, frame by frame, and what it confines itself to."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.errors import SeedDamaged, SeedEmpty, SeedForeign, SeedTooLarge
from rag.ingestion import child, formats, wire
from rag.ingestion.formats import FORMATS, Extractor
from rag.ingestion.wire import Extracted
from tests.conftest import ROOT
from tests.ingestion import makers

SENTENCE = "Kucing makan ikan tiap pagi."


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As the parent makes them for a child, which here is the process of the tests."""
    for name in ("TMPDIR", "HOME", "KREUZBERG_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    yield
    signal.alarm(0)


def answer(raw: bytes, suffix: str) -> Extracted | Exception:
    return child._answer(raw, suffix, io.BytesIO(), 60)


def test_every_format_has_an_extractor():
    assert {row.extractor for row in FORMATS} - {Extractor.TEXT} == set(child._EXTRACTORS)


@pytest.mark.parametrize(
    ("raw", "suffix", "row"),
    [
        (makers.pdf([[SENTENCE]]), ".pdf", formats.PDF),
        (makers.html([SENTENCE]), ".html", formats.HTML),
        (makers.eml([SENTENCE]), ".eml", formats.MAIL),
    ],
    ids=["kreuzberg", "web page", "mail"],
)
def test_each_extractor_answers_with_the_media_type_of_the_format(raw, suffix, row):
    read = answer(raw, suffix)
    assert isinstance(read, Extracted)
    assert (read.media_type, read.date) == (row.media_type, "2024-05-06" if row is not formats.HTML else "")
    assert SENTENCE in read.text


@pytest.mark.parametrize(
    ("raw", "suffix", "kind"),
    [
        (b"", ".pdf", SeedEmpty),
        (makers.docx([]), ".docx", SeedEmpty),
        (b"\x89PNG\r\n\x1a\n", ".pdf", SeedForeign),
        (makers.docx([SENTENCE])[:-30], ".docx", SeedDamaged),
    ],
)
def test_a_file_that_cannot_be_read_is_answered_with_its_error(raw, suffix, kind):
    assert type(answer(raw, suffix)) is kind


class _Panic(BaseException):
    """As pyo3 raises for a panic of Rust: no Exception."""


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (MemoryError(), SeedTooLarge, "reading it exceeds the memory limit; split it"),
        (RecursionError("too\ndeep"), SeedDamaged, "it cannot be read (RecursionError: too deep); get it or save it again"),
        (_Panic("index out of bounds"), SeedDamaged, "it cannot be read (_Panic: index out of bounds); get it"),
    ],
)
def test_whatever_an_extractor_raises_is_one_line(monkeypatch, raised, kind, words):
    def fail(*_: object) -> Extracted:
        raise raised

    monkeypatch.setattr(child, "_EXTRACTORS", {Extractor.WEB_PAGE: fail})
    error = answer(makers.html([SENTENCE]), ".html")
    assert type(error) is kind
    assert str(error).startswith(words)


def test_a_text_longer_than_an_index_holds_is_refused(monkeypatch):
    monkeypatch.setattr(child, "_MOST_CHARACTERS", 10)
    assert child._checked(Extracted("Sepuluh ya")).text == "Sepuluh ya"
    with pytest.raises(SeedTooLarge, match=r"its text is longer than .* million characters; split it"):
        child._checked(Extracted("Sebelas ini"))


def test_a_long_page_is_announced_by_an_empty_frame(monkeypatch):
    monkeypatch.setattr(child, "_EXTRACTORS", {Extractor.KREUZBERG: lambda raw, row, beat: (beat(), beat(), Extracted("x"))[2]})
    frames = io.BytesIO()
    assert isinstance(child._answer(makers.pdf([[SENTENCE]]), ".pdf", frames, 60), Extracted)
    assert frames.getvalue() == bytes(16)  # two frames of no bytes


def test_the_program_answers_until_its_requests_end_and_removes_its_folder(tmp_path):
    """Without the parent's side, so that the frames themselves are seen."""
    folder = tmp_path / "own"
    folder.mkdir()
    incoming, requests = os.pipe()
    answers, outgoing = os.pipe()
    command = [sys.executable, "-P", "-m", "rag.ingestion.child", str(incoming), str(outgoing), str(2 * 1024**3), "60"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(folder), "HOME": str(folder)}
    with subprocess.Popen(command, pass_fds=[incoming, outgoing], env=environment, cwd=folder) as process:
        os.close(incoming)
        os.close(outgoing)
        with os.fdopen(answers, "rb") as read, os.fdopen(requests, "wb") as write:
            for words in (SENTENCE, "Lagi."):
                wire.send(write, b".html")
                wire.send(write, makers.html([words]))
                frame = wire.receive(read)
                assert frame is not None
                assert wire.unpacked(frame).text == words
    assert process.returncode == 0
    assert not folder.exists()


def test_the_child_starts_without_the_libraries_that_read():
    heavy = "{'torch', 'faiss', 'numpy', 'transformers', 'py3langid', 'icu4py', 'charset_normalizer', 'kreuzberg'}"
    heavy += " | {'rag.ingestion.' + reader for reader in ('extraction', 'webpage', 'mail')}"
    code = f"import sys, rag.ingestion.child; print(sorted(({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
