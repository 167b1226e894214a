"""What is said to an OpenAI-compatible endpoint, and the form of its replies. Pure: it asks nobody.

A reply may be anything. One that is not of the form raises an EndpointError, and never another error.

An endpoint's yes or no as log-odds: from the probabilities that it gives, else from its words. Pure.
"""

import json
import math
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

from rag.answering.prompt import Piece, neutralise
from rag.errors import EndpointError

Json = dict[str, Any]
# As many as OpenAI and vLLM give at most. What a passage makes the model say of yes and no is nearly all in the first two.
_ALTERNATIVES = 20
# Tokens of a verdict in words: "**Yes**", or "Answer: no".
_WORDS = 8
# Events beyond the tokens that were asked for, after which an endpoint does not keep to them.
_SLACK = 16
_MOST_LINE = 1_000_000
_END = "[DONE]"
# Why an endpoint ends an answer that the model had not ended: for its length, and for what stood in it.
_CUT = ("length", "content_filter")
_FORM = "set RAG_LLM to an OpenAI-compatible endpoint, such as http://127.0.0.1:8080/v1"
_THINKING = "where the model thinks before it answers, turn that off at the endpoint, or name another model in RAG_LLM"


def messages(system: str, user: Iterable[Piece]) -> list[Json]:
    """The two turns of a request. What comes from documents and people holds no control token, so it ends no turn."""
    content = "".join(piece.text if piece.trusted else neutralise(piece.text) for piece in user)
    return [{"role": "system", "content": system}, {"role": "user", "content": content}]


def verdict(model: str, turns: Sequence[Json]) -> Json:
    """Asks for the first token of a yes or no, with its alternatives."""
    return _body(model, turns, 1) | {"logprobs": True, "top_logprobs": _ALTERNATIVES}


def verdict_in_words(model: str, turns: Sequence[Json]) -> Json:
    """Asks for a yes or no."""
    return _body(model, turns, _WORDS)


def answer(model: str, turns: Sequence[Json], tokens: int) -> Json:
    """Asks for an answer of so many tokens at most, as it is written."""
    return _body(model, turns, tokens) | {"stream": True}


def _body(model: str, turns: Sequence[Json], tokens: int) -> Json:
    # `max_tokens` and not its younger name, which Ollama and older servers do not know.
    return {"model": model, "messages": list(turns), "temperature": 0, "max_tokens": tokens}


def model_names(reply: Json) -> list[str]:
    """The models that an endpoint has, in its order. Raises EndpointError."""
    rows = reply.get("data")
    if not isinstance(rows, list):
        raise malformed("it has no list of models")
    return [row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]


def words(reply: Json) -> str:
    """What a whole reply says. Raises EndpointError where it is not of the form."""
    return _words(member(choice(reply), "message"))


def events(chunks: Iterable[bytes]) -> Iterator[str]:
    """The data of server-sent events, each of which is one line in this protocol. Raises EndpointError for an endless line."""
    held = b""
    for chunk in chunks:
        *lines, held = (held + chunk).split(b"\n")
        yield from _data(lines)
        if len(held) > _MOST_LINE:
            raise malformed("it has an endless line")
    yield from _data([held])


def _data(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        if line.startswith(b"data:"):
            yield line.removeprefix(b"data:").decode("utf-8", "replace").strip()


def pieces(data: Iterable[str], tokens: int) -> Generator[str, None, bool]:
    """The answer, piece by piece; returns whether it is cut. Raises EndpointError where it breaks off, is empty or malformed.

    An endpoint that goes on after the `tokens` that were asked for is not heard to its end: that is cut too.
    """
    spoken = False
    for number, item in enumerate(data):
        written, ended = _piece(item)
        if not spoken and written.lstrip().startswith("<think"):
            raise EndpointError("the model thinks aloud before it answers", _THINKING)
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
    """What an event adds to the answer, and why it is the last, where it is. One that only counts tokens has no choice."""
    if item == _END:
        return "", item
    event = decoded(item)
    if event.get("choices") == []:
        return "", ""
    chosen = choice(event)
    return _words(member(chosen, "delta")), str(chosen.get("finish_reason") or "")


def decoded(raw: str | bytes) -> Json:
    """A JSON object. Raises EndpointError for anything else, and for an object that tells of an error."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise malformed("it is no JSON") from error
    if not isinstance(value, dict):
        raise malformed("it is no JSON object")
    if value.get("error"):
        raise EndpointError(f"the endpoint failed: {complaint(value)}", "its own log says more")
    return value


def complaint(value: object) -> str:
    """What an error says, in one line of at most 200 characters."""
    if isinstance(value, dict):
        said = next((value[name] for name in ("error", "message", "detail") if value.get(name)), "")
        return complaint(said)
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())[:200]


def choice(reply: Json) -> Json:
    """The first choice. Raises EndpointError where there is none."""
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise malformed("it has no choices")
    return choices[0]


def member(value: Json, name: str) -> Json:
    """The object of this name; empty where it is none."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def malformed(what: str) -> EndpointError:
    """A reply that is not of the form."""
    return EndpointError(f"the endpoint's reply is not of the form: {what}", _FORM)


def empty() -> EndpointError:
    """A reply without words."""
    return EndpointError("the endpoint's reply is empty", _THINKING)


def _words(turn: Json) -> str:
    """What a turn says, as text that can be written anywhere: JSON may hold halves of characters."""
    content = turn.get("content")
    if not isinstance(content, str | None):
        raise malformed("its content is no text")
    return (content or "").encode("utf-8", "replace").decode("utf-8")


# The log-odds of a yes and of a no that come without probabilities. They are chosen, not fitted: with the default
# calibration a yes is .83, so that no further passage is judged, and a no is .01.
_SAID = {"yes": 3.0, "no": -3.0}
# Of what the listed alternatives leave, at least: probabilities are rounded, and may sum to more than one.
_LEAST_REST = 1e-6
# Below this a log-probability is an endpoint's way to say "never"; OpenAI writes -9999.
_LEAST_LOGPROB = -1e4
_VERDICT = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
# Space, and what tokenisers write for it.
_SPACE = " \t\r\n\u2581\u0120"


def by_probabilities(reply: Json) -> float | None:
    """What the first token says: log P(yes) - log P(no). None where there are no probabilities, or of neither.

    A side that is not among the alternatives is taken to be as likely as it can be: as the last of them, or as what they
    leave. Raises EndpointError where the reply is not of the form.
    """
    listed = _alternatives(reply)
    yes, no = ([logprob for token, logprob in listed if _word(token) == word] for word in ("yes", "no"))
    if not yes and not no:
        return None
    rest = math.log(max(_LEAST_REST, 1 - sum(math.exp(logprob) for _, logprob in listed)))
    unlisted = min(rest, *(logprob for _, logprob in listed))
    return _log_sum(yes or [unlisted]) - _log_sum(no or [unlisted])


def by_words(reply: Json) -> float | None:
    """The log-odds that stand for the reply's first yes or no; None where it says neither.

    Raises EndpointError where the reply is not of the form.
    """
    found = _VERDICT.search(words(reply))
    return _SAID[found[1].lower()] if found else None


def _alternatives(reply: Json) -> list[tuple[str, float]]:
    """What the first token might have been, with log-probabilities; empty where the endpoint gives none."""
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
