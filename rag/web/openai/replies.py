"""An answer in the form that clients of OpenAI read: as one completion, or as chunks. Pure."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

from rag.types import Answer, Event, Token
from rag.web import asking

Json = dict[str, Any]
_MARKER = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Completion:
    """What all chunks of a reply have in common. `count` says how many tokens a text has; `prompt` is what was asked."""

    model: str
    prompt: str
    base: str
    count: Callable[[str], int]
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Answer) -> Json:
        """The reply as one value."""
        message = {
            "role": "assistant",
            "content": asking.answer(answer),
            "refusal": None,
            "annotations": self._annotations(answer),
        }
        choice = {"index": 0, "message": message, "finish_reason": _finish(answer), "logprobs": None}
        return {**self._head("chat.completion", [choice], answer), "usage": self._usage(answer)}

    def chunks(self, event: Event) -> Iterator[Json]:
        """What an event adds. What is being written is a draft until its citations are verified, and told as such."""
        match event:
            case Token(text):
                yield self._chunk({"reasoning_content": text})
            case Answer():
                yield self._chunk({"content": event.text})
                if rest := asking.answer(event).removeprefix(event.text):
                    yield self._chunk({"content": rest})
                yield self._chunk({"annotations": self._annotations(event)}, _finish(event), event)

    def first(self) -> Json:
        """The chunk that comes before all others."""
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def counted(self, answer: Answer) -> Json:
        """The chunk that counts tokens, after all others."""
        return {**self._head("chat.completion.chunk", []), "usage": self._usage(answer)}

    def _chunk(self, delta: Json, finish: str | None = None, answer: Answer | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return self._head("chat.completion.chunk", [choice], answer)

    def _head(self, kind: str, choices: list[Json], answer: Answer | None = None) -> Json:
        head: Json = {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}
        if answer is None:
            return head
        own = ("answered", "confidence", "language", "understood_as", "note")
        told = {"rag": {name: getattr(answer, name) for name in own}}
        return {**head, "system_fingerprint": f"{answer.receipt.version} {answer.receipt.snapshot}", **told}

    def _usage(self, answer: Answer) -> Json:
        asked, said = self.count(self.prompt), self.count(asking.answer(answer))
        return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}

    def _annotations(self, answer: Answer) -> list[Json]:
        """One for each marker in the text."""
        return [
            {
                "type": "url_citation",
                "url_citation": {
                    "start_index": marker.start(),
                    "end_index": marker.end(),
                    "title": asking.place(citation),
                    "url": f"{self.base}/v1/documents/{citation.document_id}/text?start={citation.start}&end={citation.end}",
                },
                "citation": asdict(citation),
            }
            for marker in _MARKER.finditer(answer.text)
            for citation in answer.citations[int(marker[1]) - 1 : int(marker[1])]
        ]


def _finish(answer: Answer) -> str:
    return "length" if answer.cut else "stop"
