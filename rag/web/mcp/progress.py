"""What becomes of a question, in lines for whoever waits for the answer. Knows nothing of the protocol."""

from rag.types import Event, Found, Marked, Token, Understood, Waiting
from rag.web import asking

# Pieces of an answer between two lines: some words, which two slow cores write in about a second.
_PIECES = 8


class Progress:
    """Of one question."""

    def __init__(self) -> None:
        self._draft, self._pieces = "", 0

    def line(self, event: Event) -> str:
        """What the event adds; empty where it is not worth a line."""
        match event:
            case Found(passages):
                return f"{len(passages)} passages found"
            case Waiting(before):
                return f"waiting for the model: {before} before this one" if before else ""
            case Understood(question):
                return f"understood as: {question}"
            case Marked(citation):
                return f"{asking.place(citation)}: {asking.quoted(citation)}"
            case Token(text):
                self._draft, self._pieces = self._draft + text, self._pieces + 1
                return f"a draft, not verified yet: {self._draft}" if self._pieces % _PIECES == 1 else ""
        return ""
