import pytest

from rag.errors import SeedError
from rag.ingestion.extraction import Scan, scans


@pytest.fixture
def languages(tmp_path, monkeypatch):
    for name in ["ind", "osd", "eng"]:
        (tmp_path / f"{name}.traineddata").touch()
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))


@pytest.mark.usefixtures("languages")
def test_every_page_is_read_in_the_languages_that_are_installed():
    beats: list[int] = []
    assert list(scans(2, lambda: beats.append(1))) == [Scan(1, "eng+ind"), Scan(2, "eng+ind")]
    assert len(beats) == 2


@pytest.mark.usefixtures("languages")
def test_too_many_pages_are_refused():
    with pytest.raises(SeedError, match="it has 501 scanned pages without text, more than the 500 that are read; split it"):
        list(scans(501, lambda: None))


def test_without_languages_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    with pytest.raises(SeedError, match="it has 1 scanned page without text; install the extra `ocr`"):
        list(scans(1, lambda: None))
