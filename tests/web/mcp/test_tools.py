from rag.types import Citation, Found, Marked, Token, Understood, Waiting
from rag.web.mcp.tools import Progress


def test_each_stage_has_a_line_and_a_draft_one_now_and_then() -> None:
    progress = Progress()
    citation = Citation("d", "a.pdf", "0" * 64, 0, 9, "dua\n baris", page=3)
    assert progress.line(Found(())) == "0 passages found"
    assert progress.line(Waiting(3)) == "waiting for the model: 3 ahead of this one"
    assert progress.line(Waiting(0)) == ""
    assert progress.line(Understood("Kapan itu?")) == "understood as: Kapan itu?"
    assert progress.line(Marked(citation, 0.9)) == "a.pdf, p. 3: “dua baris”"
    lines = [progress.line(Token(f"{n} ")) for n in range(20)]
    assert [number for number, line in enumerate(lines) if line] == [0, 8, 16]
    assert lines[8] == "a draft, not verified yet: 0 1 2 3 4 5 6 7 8 "
