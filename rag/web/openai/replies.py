"""Errors in the form that clients of OpenAI read.

An answer in the form that clients of OpenAI read: as one completion, or as chunks. Pure.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from msgspec import Struct

from rag.answering.citing import MARKER
from rag.errors import RagError
from rag.types import Answer, Event, Token
from rag.web import exchange, problems

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Failure(Struct, frozen=True):
    """What is wrong: `message` ends with what mends it, `code` is the name of the error in rag."""

    message: str
    type: str
    code: str
    param: str | None = None


class Failed(Struct, frozen=True):
    """The body of every error of these routes."""

    error: Failure


def of(error: Exception) -> Failed:
    """The failure that an error is."""
    problem = problems.of(error)
    kind = _TYPES.get(problem.status, "invalid_request_error" if problem.status < 500 else "server_error")
    return Failed(Failure(problem.detail, kind, problem.title))


def reply(request: Request[Any, Any, Any], error: Exception) -> Response[Failed]:
    """The response to a request that met this error, with the status and headers that a problem has."""
    problem = problems.reply(request, error)
    return Response(of(error), status_code=problem.status_code, headers=problem.headers, media_type="application/json")


# For each route of this folder: its errors are not problem details.
HANDLERS: dict[int | type[Exception], Any] = dict.fromkeys((RagError, HTTPException, Exception), reply)


def documented(*statuses: int) -> dict[int, ResponseSpec]:
    """The failures that a route may answer with, for its entry in the schema; a mistake of ours is always among them."""
    return {status: _spec(status) for status in problems.documented(*statuses)}


def _spec(status: int) -> ResponseSpec:
    title, detail = problems.EXAMPLES[status]
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    example = Example(summary=title, value={"error": {"message": detail, "type": kind, "code": title, "param": None}})
    return ResponseSpec(Failed, description=HTTPStatus(status).phrase, generate_examples=False, examples=[example])


Json = dict[str, Any]


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
            "content": exchange.answer(answer),
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
                if rest := exchange.answer(event).removeprefix(event.text):
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
        asked, said = self.count(self.prompt), self.count(exchange.answer(answer))
        return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}

    def _annotations(self, answer: Answer) -> list[Json]:
        """One for each marker in the text."""
        return [
            {
                "type": "url_citation",
                "url_citation": {
                    "start_index": marker.start(),
                    "end_index": marker.end(),
                    "title": exchange.place(citation),
                    "url": f"{self.base}/v1/documents/{citation.document_id}/text?start={citation.start}&end={citation.end}",
                },
                "citation": asdict(citation),
            }
            for marker in MARKER.finditer(answer.text)
            for citation in answer.citations[int(marker[1]) - 1 : int(marker[1])]
        ]


def _finish(answer: Answer) -> str:
    return "length" if answer.cut else "stop"
