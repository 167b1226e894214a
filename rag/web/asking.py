"""Answers and passages as plain text that a person or a model reads, each with its place. Pure."""

from collections.abc import Sequence

from rag.types import Answer, Citation, Passage


def answer(value: Answer) -> str:
    """The answer with its markers, a note on it, and the words it rests on. It begins with `value.text`, as it is."""
    parts = [value.text]
    if value.note:
        parts.append(f"({value.note})")
    if value.understood_as:
        parts.append(f"(↳ {value.understood_as})")
    if value.citations:
        parts.append("\n".join(f"[{n}] {place(c)}: {quoted(c)}" for n, c in enumerate(value.citations, 1)))
    return "\n\n".join(parts)


def passages(found: Sequence[Passage]) -> str:
    """The passages, best first, each after its document and range."""
    return "\n\n".join(
        f"{n}. {place(p)} (document {p.document_id}, {p.start}-{p.end})\n{p.text}" for n, p in enumerate(found, 1)
    )


def place(where: Citation | Passage) -> str:
    """The path and, where there are pages, the page."""
    return f"{where.path}, p. {where.page}" if where.page else where.path


def quoted(citation: Citation) -> str:
    """The words of the citation on one line."""
    return f"“{' '.join(citation.text.split())}”"
