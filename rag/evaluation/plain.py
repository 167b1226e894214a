"""The plain way to answer from documents, to compare with: all passages in one prompt, labels, the library's own chat.

It imports llama_cpp beside `rag/answering/local/model.py`, and shares nothing with the reader: what it measures is what that is
better than, by the same weights. The product's prompts do not hold its texts, so that their digest names the product's.
"""

import re
from collections.abc import Generator, Sequence
from pathlib import Path

from rag.answering.prompt import Phrases
from rag.errors import WeightsError
from rag.evaluation import answerability
from rag.settings import Settings
from rag.text import normalise
from rag.weights import sources
from rag.weights.cache import WeightCache

# Room for twenty passages, the most that may be set.
_CONTEXT = 8192
_BATCH = 512
_SYSTEM = (
    "Answer the question from the numbered passages alone, in one or two sentences. Put the number of the passage that "
    "supports it after each sentence, as in [2]. Where the passages do not have the answer, write only: {none}"
)
_LABEL = re.compile(r"\s*\[(\d+)\]")
# A reply that has the words of a refusal among its first characters is one.
_BEGINNING = 40


class LlamaChat:
    """A `PlainWay` on `Llama.create_chat_completion`."""

    def __init__(self, path: Path, *, threads: int, answer_tokens: int) -> None:
        """Load the model a second time: its file's pages are shared with the reader's. Raises WeightsError."""
        from llama_cpp import Llama

        self._answer_tokens = answer_tokens
        try:
            self._model = Llama(str(path), n_ctx=_CONTEXT, n_batch=_BATCH, n_threads=threads, verbose=False)
        except ValueError as error:
            raise WeightsError(f"llama.cpp cannot load {path}", "set RAG_LLM to a GGUF chat model") from error

    def reply(self, question: str, passages: Sequence[str], phrases: Phrases) -> Generator[str, None, bool]:
        """The likeliest reply, piece by piece; returns whether it has as many tokens as it may have."""
        chat, why = messages(question, passages, phrases), None
        for part in self._model.create_chat_completion(chat, max_tokens=self._answer_tokens, temperature=0, stream=True):
            why = part["choices"][0]["finish_reason"]
            if piece := part["choices"][0]["delta"].get("content"):
                yield piece
        return why == "length"

    def understood(self, reply: str, phrases: Phrases) -> tuple[str | None, list[int]]:
        """What the reply says."""
        return understood(reply, phrases)


def open_chat(settings: Settings, weights: WeightCache) -> LlamaChat:
    """The plain way on the language model of the settings. Raises WeightsError."""
    path = sources.llm(settings.llm, weights).path
    return LlamaChat(path, threads=settings.threads, answer_tokens=settings.answer_tokens)


def messages(question: str, passages: Sequence[str], phrases: Phrases) -> list[dict[str, str]]:
    """The chat that asks the question. A document's own `[33]` is left out: it would be taken for a label."""
    shown = "\n".join(f"[{n}] {normalise(_LABEL.sub('', passage))}" for n, passage in enumerate(passages, 1))
    asked = f"Passages:\n{shown}\n\nQuestion: {normalise(question)}\nAnswer in {phrases.name}."
    return [
        {"role": "system", "content": _SYSTEM.format(none=phrases.none)},
        {"role": "user", "content": asked},
    ]


def understood(reply: str, phrases: Phrases) -> tuple[str | None, list[int]]:
    """The reply without labels, None for a refusal or where nothing is left; and the labels in order."""
    said = normalise(_LABEL.sub("", reply))
    return (None if _refuses(said, phrases.none) or not said else said), [int(label) for label in _LABEL.findall(reply)]


def _refuses(said: str, none: str) -> bool:
    """Whether it is the words of a refusal, or has them near its beginning.

    Where no spaces are written they are a sign or two, which stand in other words too.
    """
    if answerability.folded(said) == answerability.folded(none):
        return True
    return not answerability.has_unspaced(none) and answerability.contains(said[:_BEGINNING], [none])
