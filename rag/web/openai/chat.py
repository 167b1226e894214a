"""Chat completions: the same answers, for clients of OpenAI. As a stream, what was verified; who hangs up stops the model."""

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
from rag.web.disconnects import first, last, to_nobody
from rag.web.guard.access import READ
from rag.web.openai import embeddings, replies
from rag.web.openai.replies import Completion, Json
from rag.web.openai.requests import ChatRequest, conversation, require_plain
from rag.web.operations import EventStreamToo

_EXAMPLE = {"model": embeddings.CHAT, "messages": [{"role": "user", "content": "Siapa Menteri Pertahanan Iran?"}]}
_DESCRIPTION = (
    "A chat completion: `content` has the answer with markers and the words they stand for, `annotations` the citations. With "
    "`stream`, chunks: `reasoning_content` is a draft that nothing has verified yet, `content` the verified answer"
)


@post(
    "/v1/chat/completions",
    status_code=200,
    summary="Answer the last question of a conversation, as OpenAI does",
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
    """The answer, or plain words that the documents do not answer. A question that leans on earlier ones is understood by them.

    Closing the connection stops the model.
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
    return Response(form.whole(answer)) if answer else to_nobody()


async def _streamed(
    asking: Asking[Event], request: Request[Any, Any, Any], form: Completion, *, counting: bool
) -> Response[Any]:
    """The chunks, once there is a first event: what goes wrong before it has its own status."""
    if await first(asking, request) is None:
        return to_nobody()
    # Stopped where the stream is left, and once more where it was never begun.
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
    except Exception as error:  # noqa: BLE001 - the status is sent already; the stream tells it
        problems.log_if_unforeseen(error, "POST /v1/chat/completions")
        yield _line(replies.of(error))
    finally:
        asking.stop()


def _tokens(engine: Engine, text: str) -> int:
    """As the embedder counts: the language model may be anywhere, and reads much that the client neither sent nor sees."""
    return len(engine.models.embedder.token_starts(text))


def _line(value: object) -> bytes:
    return b"data: " + encode_json(value) + b"\n\n"
