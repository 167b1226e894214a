from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rag.answering.citations import cite, verifies
from rag.types import Document, Span

DOCUMENT = Document(
    "d1", "a.txt", "ab" * 32, "text/plain", "id", "2026-01-01", "Kucing makan ikan. Anjing tidur 😀 di halaman."
)


@given(st.data())
def test_any_range_with_words_is_cited_and_verifies(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(DOCUMENT.text) - 1))
    end = data.draw(st.integers(start + 1, len(DOCUMENT.text)))
    citation = cite(DOCUMENT, Span(start, end))
    assert citation.text == DOCUMENT.text[start:end]
    assert verifies(citation, DOCUMENT) == bool(citation.text.strip())


@given(st.integers(-5, 60), st.integers(-5, 60), st.text(max_size=20))
def test_a_citation_with_other_words_never_verifies(start: int, end: int, text: str) -> None:
    citation = replace(cite(DOCUMENT, Span(0, 18)), start=start, end=end, text=text)
    stands_there = 0 <= start < end <= len(DOCUMENT.text) and DOCUMENT.text[start:end] == text and bool(text.strip())
    assert verifies(citation, DOCUMENT) == stands_there


def test_another_document_another_version_or_none_does_not_verify() -> None:
    citation = cite(DOCUMENT, Span(0, 18))
    assert verifies(citation, DOCUMENT)
    assert not verifies(citation, None)
    assert not verifies(citation, replace(DOCUMENT, id="d2"))
    assert not verifies(citation, replace(DOCUMENT, path="b.txt"))
    assert not verifies(citation, replace(DOCUMENT, sha256="cd" * 32))
