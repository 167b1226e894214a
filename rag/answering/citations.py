"""A citation is a claim about bytes: these words stand there. Pure."""

from rag.types import Citation, Document, Span


def cite(document: Document, span: Span) -> Citation:
    """The citation of a range of the document's original text."""
    text = document.text[span.start : span.end]
    return Citation(document.id, document.path, document.sha256, span.start, span.end, text, document.page(span.start))


def verifies(citation: Citation, document: Document | None) -> bool:
    """Whether the cited words stand, word for word, at the cited place of the very document that is stored."""
    if document is None or not citation.text.strip():
        return False
    same = citation.document_id == document.id and citation.path == document.path and citation.sha256 == document.sha256
    inside = 0 <= citation.start < citation.end <= len(document.text)
    return same and inside and document.text[citation.start : citation.end] == citation.text
