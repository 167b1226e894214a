"""Responses to OpenAI clients: an answer as a chat completion or as its chunks, and errors in OpenAI's form."""

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
    """An error. `message` ends with what to do, `type` is OpenAI's, and `code` is rag's own kind, as `IndexMissing`."""

    message: str
    type: str
    code: str
    param: str | None = None


class Failed(Struct, frozen=True):
    """The body of every error of the routes for OpenAI clients."""

    error: Failure


def of(error: Exception) -> Failed:
    """An error in OpenAI's form."""
    problem = problems.of(error)
    kind = _TYPES.get(problem.status, "invalid_request_error" if problem.status < 500 else "server_error")
    return Failed(Failure(problem.detail, kind, problem.title))


def reply(request: Request[Any, Any, Any], error: Exception) -> Response[Failed]:
    """Litestar's exception handler of these routes: the status and headers of a problem, with OpenAI's body."""
    problem = problems.reply(request, error)
    return Response(of(error), status_code=problem.status_code, headers=problem.headers, media_type="application/json")


# For the routes of this folder, whose errors are not problem details.
HANDLERS: dict[int | type[Exception], Any] = dict.fromkeys((RagError, HTTPException, Exception), reply)


def documented(*statuses: int) -> dict[int, ResponseSpec]:
    """The errors of a route, for the schema; as `problems.documented`."""
    return {status: _spec(status) for status in problems.documented(*statuses)}


def _spec(status: int) -> ResponseSpec:
    title, detail = problems.EXAMPLES[status]
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    example = Example(summary=title, value={"error": {"message": detail, "type": kind, "code": title, "param": None}})
    return ResponseSpec(Failed, description=HTTPStatus(status).phrase, generate_examples=False, examples=[example])


Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Completion:
    """One reply: what all its chunks have in common.

    `prompt` is the question with its history, `base` the service's own URL for links to documents, and `count` counts the
    tokens of a text.
    """

    model: str
    prompt: str
    base: str
    count: Callable[[str], int]
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Answer) -> Json:
        """The reply as one chat completion."""
        message = {
            "role": "assistant",
            "content": exchange.answer_text(answer),
            "refusal": None,
            "annotations": self._annotations(answer),
        }
        choice = {"index": 0, "message": message, "finish_reason": _finish(answer), "logprobs": None}
        return {**self._head("chat.completion", [choice], answer), "usage": self._usage(answer)}

    def chunks(self, event: Event) -> Iterator[Json]:
        """The chunks of an event. A token is a draft, sent as `reasoning_content`; `content` is sent once it is verified."""
        match event:
            case Token(text):
                yield self._chunk({"reasoning_content": text})
            case Answer():
                yield self._chunk({"content": event.text})
                if rest := exchange.answer_text(event).removeprefix(event.text):
                    yield self._chunk({"content": rest})
                yield self._chunk({"annotations": self._annotations(event)}, _finish(event), event)

    def first(self) -> Json:
        """The first chunk."""
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def counted(self, answer: Answer) -> Json:
        """The chunk after all others, with the number of tokens (`include_usage`)."""
        return {**self._head("chat.completion.chunk", []), "usage": self._usage(answer)}

    def _chunk(self, delta: Json, finish: str | None = None, answer: Answer | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return self._head("chat.completion.chunk", [choice], answer)

    def _head(self, kind: str, choices: list[Json], answer: Answer | None = None) -> Json:
        head: Json = {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}
        if answer is None:
            return head
        own = ("answered", "confidence", "language", "understood_as", "note")
        fingerprint = f"{answer.receipt.version} {answer.receipt.snapshot}"
        return {**head, "system_fingerprint": fingerprint, "rag": {name: getattr(answer, name) for name in own}}

    def _usage(self, answer: Answer) -> Json:
        prompt, completion = self.count(self.prompt), self.count(exchange.answer_text(answer))
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}

    def _annotations(self, answer: Answer) -> list[Json]:
        """A citation for each marker in the text."""
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
