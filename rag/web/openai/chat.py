"""The route for chat completions: rag's answers for OpenAI clients, whole or as a stream. A disconnect stops the model."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Request, Response, post
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg
from litestar.response import Stream
from litestar.serialization import encode_json

from rag.engine import Engine
from rag.types import Answer, Event
from rag.web import problems
from rag.web.admission import Admission, Asking
from rag.web.guard.access import READ
from rag.web.openai import embeddings, replies
from rag.web.openai.replies import Completion, Json
from rag.web.openai.requests import ChatRequest, conversation, require_plain
from rag.web.operations import EventStreamToo
from rag.web.streaming import first, last, no_response

_EXAMPLE = {"model": embeddings.CHAT, "messages": [{"role": "user", "content": "Siapa Menteri Pertahanan Iran?"}]}
_DESCRIPTION = (
    "A chat completion. `content` is the answer with markers such as `[1]`, followed by the words that each marker cites; "
    "`annotations` are the citations. With `stream`, chunks: `reasoning_content` is a draft that is not verified yet, "
    "`content` the verified answer, and the last chunk has the annotations"
)


@post(
    "/v1/chat/completions",
    status_code=200,
    summary="Chat completion: answer the last question of a conversation",
    opt={"scope": READ},
    operation_class=EventStreamToo,
    response_description=_DESCRIPTION,
    exception_handlers=replies.HANDLERS,
    responses=replies.documented(400, 404, 413, 429, 502, 503, 507),
)
async def complete(
    data: Annotated[ChatRequest, BodyKwarg(examples=[Example(summary="A question", value=_EXAMPLE)])],
    request: Request[Any, Any, Any],
    engine: NamedDependency[Engine],
    admission: NamedDependency[Admission],
) -> Response[dict[str, Any]]:
    """OpenAI's chat completions, answered from the documents, with citations in `annotations`.

    Where the documents do not answer the question, `content` says so and `rag.answered` is false. A question that refers to
    earlier messages is rewritten to stand alone; `rag.understood_as` is that question. `finish_reason` is `length` where the
    answer reached the limit of tokens. Closing the connection stops the model.
    """
    embeddings.require(data.model, embeddings.CHAT)
    require_plain(data)
    question, turns = conversation(data.messages)
    prompt = "\n".join((*(text for turn in turns for text in (turn.question, turn.answer)), question))
    form = Completion(data.model, prompt, str(request.base_url).rstrip("/"), lambda text: _tokens(engine, text))
    asking = admission.admit(lambda: engine.stream(question, data.where, history=turns))
    if data.stream:
        counting = bool(data.stream_options and data.stream_options.include_usage)
        return await _streamed(asking, request, form, counting=counting)
    answer = await last(asking, request)
    assert answer is None or isinstance(answer, Answer)
    return Response(form.whole(answer)) if answer else no_response()


async def _streamed(
    asking: Asking[Event], request: Request[Any, Any, Any], form: Completion, *, counting: bool
) -> Response[Any]:
    """The chunks, once there is a first event: an error before it has a status of its own."""
    if await first(asking, request) is None:
        return no_response()
    # `_lines` stops the question when it is left; if it is never started, the background task does.
    stopping = BackgroundTask(asking.stop)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return Stream(_lines(asking, form, counting), media_type="text/event-stream", headers=headers, background=stopping)


async def _lines(asking: Asking[Event], form: Completion, counting: bool) -> AsyncIterator[bytes]:  # noqa: FBT001
    more: Json = {"usage": None} if counting else {}
    try:
        yield _line(form.first() | more)
        async for event in asking:
            for chunk in form.chunks(event):
                yield _line(chunk | more)
            if counting and isinstance(event, Answer):
                yield _line(form.counted(event))
        yield b"data: [DONE]\n\n"
    except Exception as error:  # noqa: BLE001 - the status is sent already, so the error is a chunk of the stream
        problems.log_if_unexpected(error, "POST /v1/chat/completions")
        yield _line(replies.of(error))
    finally:
        asking.stop()


def _tokens(engine: Engine, text: str) -> int:
    """Tokens of the embedder: the language model may be at an endpoint, and its prompt has text that the client never sees."""
    return len(engine.models.embedder.token_starts(text))


def _line(value: object) -> bytes:
    return b"data: " + encode_json(value) + b"\n\n"
