"""Requests to an OpenAI-compatible endpoint and its replies, as JSON. Pure: it sends nothing.

A verdict is read from a reply as log-odds: from the probabilities of the first token, else from its words. A reply may be
anything; one of another form raises an EndpointError and never another error.
"""

import json
import math
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

from rag.answering.prompt import Piece, neutralise
from rag.errors import EndpointError

Json = dict[str, Any]
# Alternatives requested for a token: the most that OpenAI and vLLM give. Yes and no are nearly always the first two.
_ALTERNATIVES = 20
# The most tokens of a verdict in words: "**Yes**", or "Answer: no".
_WORDS = 8
# Events beyond the requested tokens after which reading stops: the endpoint ignores the limit.
_SLACK = 16
_MOST_LINE = 1_000_000
_END = "[DONE]"
# The reasons by which an endpoint ends an answer before the model does: its length, or its content.
_CUT = ("length", "content_filter")
_FORM = "set RAG_LLM to an OpenAI-compatible endpoint, such as http://127.0.0.1:8080/v1"
_THINKING = "where the model thinks before it answers, turn that off at the endpoint, or name another model in RAG_LLM"


def messages(system: str, user: Iterable[Piece]) -> list[Json]:
    """The two turns of a request. Untrusted pieces are cleared of control tokens, so they cannot end a turn."""
    content = "".join(piece.text if piece.trusted else neutralise(piece.text) for piece in user)
    return [{"role": "system", "content": system}, {"role": "user", "content": content}]


def verdict(model: str, turns: Sequence[Json]) -> Json:
    """The request for the first token of a yes or no, with its alternatives."""
    return _body(model, turns, 1) | {"logprobs": True, "top_logprobs": _ALTERNATIVES}


def verdict_in_words(model: str, turns: Sequence[Json]) -> Json:
    """The request for a yes or no in words."""
    return _body(model, turns, _WORDS)


def answer(model: str, turns: Sequence[Json], tokens: int) -> Json:
    """The request for an answer of at most `tokens` tokens, streamed."""
    return _body(model, turns, tokens) | {"stream": True}


def _body(model: str, turns: Sequence[Json], tokens: int) -> Json:
    # `max_tokens`, not its newer name, which Ollama and older servers do not know.
    return {"model": model, "messages": list(turns), "temperature": 0, "max_tokens": tokens}


def model_names(reply: Json) -> list[str]:
    """The names of an endpoint's models, in its order. Raises EndpointError."""
    rows = reply.get("data")
    if not isinstance(rows, list):
        raise malformed("it has no list of models")
    return [row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]


def words(reply: Json) -> str:
    """The text of a whole reply. Raises EndpointError if it has another form."""
    return _words(member(choice(reply), "message"))


def events(chunks: Iterable[bytes]) -> Iterator[str]:
    """The data of server-sent events; in this protocol each is one line. Raises EndpointError if a line is too long."""
    held = b""
    for chunk in chunks:
        *lines, held = (held + chunk).split(b"\n")
        yield from _data(lines)
        if len(held) > _MOST_LINE:
            raise malformed("it has too long a line")
    yield from _data([held])


def _data(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        if line.startswith(b"data:"):
            yield line.removeprefix(b"data:").decode("utf-8", "replace").strip()


def pieces(data: Iterable[str], tokens: int) -> Generator[str, None, bool]:
    """The answer, piece by piece. Returns whether it is cut. Raises EndpointError if it breaks off, is empty or malformed.

    If the endpoint goes on beyond the requested `tokens`, reading stops: such an answer is cut too.
    """
    spoken = False
    for number, item in enumerate(data):
        written, ended = _piece(item)
        if not spoken and written.lstrip().startswith("<think"):
            raise EndpointError("the model sends its reasoning before the answer", _THINKING)
        if written:
            spoken = spoken or bool(written.strip())
            yield written
        if ended or number >= tokens + _SLACK:
            break
    else:
        raise EndpointError("the answer broke off in the middle", "ask again; the endpoint's own log says why")
    if not spoken:
        raise empty()
    return ended in _CUT or not ended


def _piece(item: str) -> tuple[str, str]:
    """The text that an event adds and, if it is the last, the reason. An event that only counts tokens has no choices."""
    if item == _END:
        return "", item
    event = decoded(item)
    if event.get("choices") == []:
        return "", ""
    chosen = choice(event)
    return _words(member(chosen, "delta")), str(chosen.get("finish_reason") or "")


def decoded(raw: str | bytes) -> Json:
    """A JSON object. Raises EndpointError for anything else, and for an object that reports an error."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise malformed("it is not JSON") from error
    if not isinstance(value, dict):
        raise malformed("it is not a JSON object")
    if value.get("error"):
        raise EndpointError(f"the endpoint failed: {complaint(value)}", "its own log says more")
    return value


def complaint(value: object) -> str:
    """The message of an error, as one line of at most 200 characters."""
    if isinstance(value, dict):
        said = next((value[name] for name in ("error", "message", "detail") if value.get(name)), "")
        return complaint(said)
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())[:200]


def choice(reply: Json) -> Json:
    """The first choice. Raises EndpointError if there is none."""
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise malformed("it has no choices")
    return choices[0]


def member(value: Json, name: str) -> Json:
    """The object under this name; empty if it is missing or not an object."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def malformed(what: str) -> EndpointError:
    """The error for a reply of another form."""
    return EndpointError(f"the endpoint's reply is not of the expected form: {what}", _FORM)


def empty() -> EndpointError:
    """The error for a reply without words."""
    return EndpointError("the endpoint's reply is empty", _THINKING)


def _words(turn: Json) -> str:
    """The text of a turn, without lone surrogates, which JSON may hold and which cannot be written as UTF-8."""
    content = turn.get("content")
    if not isinstance(content, str | None):
        raise malformed("its content is not text")
    return (content or "").encode("utf-8", "replace").decode("utf-8")


# Verdicts as log-odds

# The log-odds of a yes and a no without probabilities. Chosen, not fitted: the default calibration makes a yes .83, after which
# no further passage is judged, and a no .01.
_SAID = {"yes": 3.0, "no": -3.0}
# The least probability that the listed alternatives leave for others: they are rounded, and may sum to more than one.
_LEAST_REST = 1e-6
# A log-probability below this stands for "never"; OpenAI writes -9999.
_LEAST_LOGPROB = -1e4
_VERDICT = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
# White space, and the characters that tokenisers write for a space.
_SPACE = " \t\r\n\u2581\u0120"


def by_probabilities(reply: Json) -> float | None:
    """The first token's log P(yes) - log P(no). None without probabilities, or if neither is among the alternatives.

    If one side is missing, it is taken to be as likely as it can be: as likely as the least alternative, or as what the
    alternatives leave. Raises EndpointError if the reply has another form.
    """
    listed = _alternatives(reply)
    yes, no = ([logprob for token, logprob in listed if _word(token) == word] for word in ("yes", "no"))
    if not yes and not no:
        return None
    rest = math.log(max(_LEAST_REST, 1 - sum(math.exp(logprob) for _, logprob in listed)))
    unlisted = min(rest, *(logprob for _, logprob in listed))
    return _log_sum(yes or [unlisted]) - _log_sum(no or [unlisted])


def by_words(reply: Json) -> float | None:
    """The fixed log-odds for the reply's first yes or no; None if it says neither.

    Raises EndpointError if the reply has another form.
    """
    found = _VERDICT.search(words(reply))
    return _SAID[found[1].lower()] if found else None


def _alternatives(reply: Json) -> list[tuple[str, float]]:
    """The alternatives of the first token, with log-probabilities; empty if the endpoint gives none."""
    content = member(choice(reply), "logprobs").get("content")
    first = content[0] if isinstance(content, list) and content and isinstance(content[0], dict) else {}
    rows = first.get("top_logprobs")
    listed = rows if isinstance(rows, list) and rows else [first]
    return [(row["token"], float(row["logprob"])) for row in listed if _is_alternative(row)]


def _is_alternative(row: object) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("token"), str):
        return False
    logprob = row.get("logprob")
    return isinstance(logprob, int | float) and _LEAST_LOGPROB <= logprob <= 0


def _word(token: str) -> str:
    return token.strip(_SPACE).casefold()


def _log_sum(logprobs: Sequence[float]) -> float:
    highest = max(logprobs)
    return highest + math.log(sum(math.exp(logprob - highest) for logprob in logprobs))
