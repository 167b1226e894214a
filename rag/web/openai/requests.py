"""Requests of OpenAI clients: a chat completion, and the question and history that its messages hold. Pure."""

from typing import Any, Literal

from msgspec import Struct

from rag.answering.follow_up import MOST_TURNS
from rag.engine import MOST_QUESTION_CHARACTERS
from rag.errors import QuestionError
from rag.types import Turn

# Parameters that are not supported, and the values with which a client says that it does not want them.
_UNSUPPORTED: dict[str, tuple[object, ...]] = {
    "n": (None, 1),
    "tools": (None, []),
    "functions": (None, []),
    "tool_choice": (None, "none", "auto"),
    "function_call": (None, "none", "auto"),
    "response_format": (None, {"type": "text"}),
    "modalities": (None, [], ["text"]),
    "audio": (None,),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
    "stop": (None, [], ""),
    "web_search_options": (None,),
}


class TextPart(Struct, frozen=True, tag_field="type", tag="text"):
    """A part of a message. Only text is supported."""

    text: str


class Message(Struct, frozen=True):
    """A message of the conversation. `system` and `developer` messages are ignored: answers come from the documents alone."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        """The content as one string."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(Struct, frozen=True):
    """With `include_usage`, a last chunk counts the tokens. `include_obfuscation` has no effect."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ChatRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A conversation. The last message is the question; earlier ones are used to understand a question that refers to them.

    `model` is `rag`. `where` is rag's own parameter: a filter, as in `language=id and folder=news`.

    Not supported, and refused unless empty or at their default: `n`, `tools`, `tool_choice`, `functions`, `function_call`,
    `response_format`, `modalities`, `audio`, `logprobs`, `top_logprobs`, `stop`, `web_search_options`. All other parameters,
    sampling parameters included, are accepted and have no effect: the model writes the likeliest token each time, and the
    service's settings limit their number.
    """

    model: str
    messages: list[Message]
    where: str = ""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    tools: Any = None
    functions: Any = None
    tool_choice: Any = None
    function_call: Any = None
    response_format: Any = None
    modalities: Any = None
    audio: Any = None
    logprobs: Any = None
    top_logprobs: Any = None
    stop: Any = None
    web_search_options: Any = None
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    seed: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    prediction: dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    service_tier: str | None = None
    store: bool | None = None
    metadata: dict[str, Any] | None = None
    moderation: dict[str, Any] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: str | None = None


def require_plain(request: ChatRequest) -> None:
    """Refuse parameters that are not supported. Raises QuestionError."""
    for name, nothing in _UNSUPPORTED.items():
        if getattr(request, name) not in nothing:
            raise QuestionError(f"`{name}` is not supported: an answer is one text from the documents", f"leave `{name}` out")


def conversation(messages: list[Message]) -> tuple[str, tuple[Turn, ...]]:
    """The question and the turns before it, oldest first. Raises QuestionError where the last message is not a user's.

    A refusal comes back as its text, for this protocol has no other form of it; `rag.answering` recognises it.
    """
    spoken = [message for message in messages if message.role in {"user", "assistant"}]
    if not spoken or spoken[-1].role != "user":
        raise QuestionError("the last message is not a question", "end `messages` with one whose `role` is `user`")
    turns: list[Turn] = []
    for message in spoken[:-1]:
        text = message.text
        if message.role == "user":
            turns.append(Turn(text[:MOST_QUESTION_CHARACTERS], ""))
        elif turns:
            # In our answers, the first empty line ends the text and begins the sources (`exchange.answer_text`).
            turns[-1] = Turn(turns[-1].question, text.split("\n\n")[0])
    return spoken[-1].text, tuple(turns[-MOST_TURNS:])
