"""The plain way to answer, as a baseline: all passages in one prompt, numbered labels, the library's own chat.

It uses the same weights as the product, but none of its code: so it imports llama_cpp itself, beside `rag/answering/local`. Its
prompt stands here and not in `prompts/`, so that the digest of the prompts depends on the product's only.
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

# Room for 20 passages, the maximum of the setting.
_CONTEXT = 8192
_BATCH = 512
_SYSTEM = (
    "Answer the question from the numbered passages alone, in one or two sentences. Put the number of the passage that "
    "supports it after each sentence, as in [2]. Where the passages do not have the answer, write only: {none}"
)
_LABEL = re.compile(r"\s*\[(\d+)\]")
# A reply with the words of a refusal within its first characters is a refusal.
_BEGINNING = 40


class LlamaChat:
    """A `PlainWay` on `Llama.create_chat_completion`."""

    def __init__(self, path: Path, *, threads: int, answer_tokens: int) -> None:
        """Load the model a second time; the pages of its file are shared with the reader. Raises WeightsError."""
        from llama_cpp import Llama

        self._answer_tokens = answer_tokens
        try:
            self._model = Llama(str(path), n_ctx=_CONTEXT, n_batch=_BATCH, n_threads=threads, verbose=False)
        except ValueError as error:
            raise WeightsError(f"llama.cpp cannot load {path}", "set RAG_LLM to a GGUF chat model") from error

    def reply(self, question: str, passages: Sequence[str], phrases: Phrases) -> Generator[str, None, bool]:
        """Yields the most likely reply piece by piece. Returns whether it was cut off at the token limit."""
        chat, why = messages(question, passages, phrases), None
        for part in self._model.create_chat_completion(chat, max_tokens=self._answer_tokens, temperature=0, stream=True):
            why = part["choices"][0]["finish_reason"]
            if piece := part["choices"][0]["delta"].get("content"):
                yield piece
        return why == "length"

    def understood(self, reply: str, phrases: Phrases) -> tuple[str | None, list[int]]:
        """As the function `understood`."""
        return understood(reply, phrases)


def open_chat(settings: Settings, weights: WeightCache) -> LlamaChat:
    """The plain way with the language model of the settings. Raises WeightsError."""
    path = sources.llm(settings.llm, weights).path
    return LlamaChat(path, threads=settings.threads, answer_tokens=settings.answer_tokens)


def messages(question: str, passages: Sequence[str], phrases: Phrases) -> list[dict[str, str]]:
    """The messages of the chat. A `[33]` in a passage is removed, because it would be mistaken for a label."""
    shown = "\n".join(f"[{n}] {normalise(_LABEL.sub('', passage))}" for n, passage in enumerate(passages, 1))
    asked = f"Passages:\n{shown}\n\nQuestion: {normalise(question)}\nAnswer in {phrases.name}."
    return [
        {"role": "system", "content": _SYSTEM.format(none=phrases.none)},
        {"role": "user", "content": asked},
    ]


def understood(reply: str, phrases: Phrases) -> tuple[str | None, list[int]]:
    """The reply without labels, or None if it is a refusal or empty; and the labels in order."""
    said = normalise(_LABEL.sub("", reply))
    return (None if _refuses(said, phrases.none) or not said else said), [int(label) for label in _LABEL.findall(reply)]


def _refuses(said: str, none: str) -> bool:
    """Whether the text is the refusal `none`, or has its words near the beginning.

    In a script without spaces the refusal may be one or two characters, which are part of other words too: there it must be
    equal.
    """
    if answerability.folded(said) == answerability.folded(none):
        return True
    return not answerability.has_unspaced(none) and answerability.contains(said[:_BEGINNING], [none])
