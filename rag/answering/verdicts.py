"""An endpoint's yes or no as log-odds: from the probabilities that it gives, else from its words. Pure."""

import math
import re
from collections.abc import Sequence

from rag.answering.endpoint.completions import Json, choice, member, words

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
