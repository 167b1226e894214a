"""A language model at an OpenAI-compatible endpoint (llama-server, vLLM, Ollama, LM Studio, OpenAI), as a `Reader`.

It sends the same templates as `local/llama.py`, as a system and a user turn. Whether the endpoint caches passages between
requests is up to the endpoint.
"""

from collections.abc import Generator, Sequence

from rag.address import Endpoint
from rag.answering.endpoint import completions
from rag.answering.endpoint.completions import Json
from rag.answering.endpoint.transport import Connection
from rag.answering.prompt import Piece, Prompts
from rag.errors import EndpointError, EndpointRefused
from rag.text import normalise

# The log-odds of a reply that is neither yes nor no. The default calibration makes it .18, which is a refusal.
_NEITHER = 0.0
_BETWEEN = Piece("\n\n", trusted=True)


class RemoteReader:
    """A `Reader`. Safe to use from several threads: the endpoint decides how many requests it handles at once."""

    def __init__(self, connection: Connection, model: str, prompts: Prompts, *, answer_tokens: int) -> None:
        """Sends no request. `model` is the model's name at the endpoint."""
        self._connection, self._model = connection, model
        self._prompts, self._answer_tokens = prompts, answer_tokens
        self._asks_probabilities = True

    @property
    def name(self) -> str:
        """The endpoint's address and the model's name there."""
        return f"{self._connection.endpoint.url}#{self._model}"

    def judge(self, question: str, passage: str) -> float:
        """Log-odds that the passage answers, from the first token's probabilities, else from words. Raises EndpointError."""
        turns = self._turns(passage, self._prompts.judge.fill(question=normalise(question)))
        reply = self._verdict(turns)
        for read in (completions.by_probabilities, completions.by_words):
            if (log_odds := read(reply)) is not None:
                return log_odds
        return self._in_words(turns)

    def answer(self, question: str, passages: Sequence[str], instruction: str) -> Generator[str, None, bool]:
        """The likeliest answer, as it is written. Returns whether the endpoint cut it. Raises EndpointError.

        Closing the iterator stops the model.
        """
        further = [normalise(passage) for passage in passages[1:]]
        turns = self._turns(passages[0], self._prompts.answering(normalise(question), further, instruction))
        body = completions.answer(self._model, turns, self._answer_tokens)
        return (yield from self._connection.write(body, self._answer_tokens))

    def rewrite(self, question: str, conversation: str, language: str) -> str:
        """The last question of a conversation, rewritten to stand alone. Raises EndpointError."""
        task = self._prompts.follow_up.fill(question=normalise(question), language=language)
        body = completions.answer(self._model, self._turns(conversation, task), self._answer_tokens)
        return "".join(self._connection.write(body, self._answer_tokens))

    def gives_probabilities(self) -> bool:
        """Whether the endpoint returns probabilities, found by asking a tiny question. Raises EndpointError."""
        turns = self._turns("It is day.", self._prompts.judge.fill(question="Is it day?"))
        return completions.by_probabilities(self._verdict(turns)) is not None

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def _turns(self, passage: str, task: Sequence[Piece]) -> list[Json]:
        text = self._prompts.passage.fill(passage=normalise(passage))
        return completions.messages(self._prompts.system.text, (*text, _BETWEEN, *task))

    def _in_words(self, turns: list[Json]) -> float:
        """The verdict from more than one token, as in a bold "Yes" or "The answer is no"."""
        reply = self._connection.complete(completions.verdict_in_words(self._model, turns))
        if not completions.words(reply).strip():
            raise completions.empty()
        log_odds = completions.by_words(reply)
        return _NEITHER if log_odds is None else log_odds

    def _verdict(self, turns: list[Json]) -> Json:
        """The reply to a yes-or-no question. Once the endpoint has refused to give probabilities, they are not requested."""
        if self._asks_probabilities:
            try:
                return self._connection.complete(completions.verdict(self._model, turns))
            except EndpointRefused:
                reply = self._connection.complete(completions.verdict_in_words(self._model, turns))
                self._asks_probabilities = False
                return reply
        return self._connection.complete(completions.verdict_in_words(self._model, turns))


def open_endpoint(endpoint: Endpoint, prompts: Prompts, *, key: str, answer_tokens: int) -> RemoteReader:
    """The reader at this endpoint. If `endpoint` names no model, the first that the endpoint lists is used.

    Raises EndpointError.
    """
    connection = Connection(endpoint, key)
    try:
        model = endpoint.model or _first(connection)
    except EndpointError:
        connection.close()
        raise
    return RemoteReader(connection, model, prompts, answer_tokens=answer_tokens)


def _first(connection: Connection) -> str:
    names = connection.models()
    if not names:
        raise EndpointError(f"{connection.endpoint.url} has no model", "load one there, or name one in RAG_LLM after `#`")
    return names[0]
