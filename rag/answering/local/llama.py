"""The language model in this process, on llama.cpp: it judges a passage, writes an answer, rewrites a follow-up.

Each passage is read by itself, right after one fixed prefix (`held.py`). A question is appended to the passage and removed
again, so a passage is read once however many questions are asked about it. When the context needs the room, the passage is
dropped; after that, and in other processes, the store returns its state byte for byte (`store.py`).
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock, get_ident
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rag import stopping
from rag.answering.local.context import FLOAT16, Context
from rag.answering.local.held import Held, HeldPassages
from rag.answering.local.model import HINT, Model
from rag.answering.local.store import PassageStore
from rag.answering.prompt import Piece, Prompts
from rag.answering.writing import Draft, Instructions, Rule
from rag.errors import QuestionError, WeightsError
from rag.text import normalise
from rag.weights.sources import Source


class ModelLock:
    """One question at a time uses the model: two at once would each take twice as long.

    Unlike an RLock it may be released by another thread than the one that acquired it: a generator that holds the lock is
    closed by the thread that drops its last reference, which may be the garbage collector's.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._owner: int | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the lock. Raises Stopped while waiting, and RuntimeError if this thread already holds it."""
        if self._owner == get_ident():
            raise RuntimeError("an answer is still being written in this thread: end or close it first")
        stopping.acquire(self._lock)
        self._owner = get_ident()
        try:
            yield
        finally:
            self._owner = None
            self._lock.release()


# If a question leaves less room than this for a passage, in tokens, it is refused.
_LEAST_PASSAGE = 64
# If the rule forbids this many of the likeliest tokens, the answer ends.
_MOST_REFUSED = 64
# Placeholders of the passage and the task while the model's own chat template is filled: private-use characters.
_PASSAGE_MARK, _TASK_MARK = "\ue000", "\ue001"


class LlamaReader:
    """A `Reader`. Calls from several threads wait for each other.

    Stopping the thread's work (`rag/stopping.py`) stops the model, and raises Stopped.
    """

    # Type of keys and values. q8_0 takes half the memory, and changed one answer in five (benchmarks/RESULTS.md).
    cache_type: ClassVar[int] = FLOAT16

    def __init__(
        self,
        source: Source,
        prompts: Prompts,
        *,
        store: PassageStore,
        threads: int,
        context_tokens: int,
        answer_tokens: int,
        gpu_layers: int | None = None,
    ) -> None:
        """Load the model, with `gpu_layers` of its layers on a GPU if there is one; None is all. Raises WeightsError."""
        self._prompts, self._answer_tokens, self._lock = prompts, answer_tokens, ModelLock()
        self._model = Model(source, gpu_layers=gpu_layers)
        self._context = Context(self._model, threads=threads, tokens=context_tokens, cache_type=self.cache_type)
        before, self._between, self._after = self._frame()
        prefix = self._model.tokens(before, beginning=True)
        self._held = HeldPassages(self._context, prefix, digest=source.digest, store=store, room=context_tokens)
        self._yes, self._no = self._first_tokens("Yes"), self._first_tokens("No")
        texts = (
            template.text for template in (prompts.system, prompts.passage, prompts.judge, prompts.answer, prompts.follow_up)
        )
        self._instructions = Instructions(texts, self._model.control_names())

    def judge(self, question: str, passage: str) -> float:
        """Log-odds that the passage answers: log P(Yes) - log P(No) of the model's next word."""
        with self._lock.taken():
            task = self._task(self._prompts.judge.fill(question=normalise(question)))
            held = self._hold(passage, len(task))
            try:
                logits = self._context.read(held.sequence, held.end, task).astype(np.float64)
            finally:
                self._held.take_back(held)
            return float(np.logaddexp.reduce(logits[self._yes]) - np.logaddexp.reduce(logits[self._no]))

    def answer(self, question: str, passages: Sequence[str], instruction: str) -> Generator[str, None, bool]:
        """The likeliest answer that the rule allows (`writing.py`), token by token. Closing the iterator stops the model.

        Returns whether the answer was cut because it reached the most tokens that it may have. The first passage is reused as
        it was read; further passages are read after it each time.
        """
        with self._lock.taken():
            first, *others = (normalise(passage) for passage in passages)
            task = self._task(self._prompts.answering(normalise(question), others, instruction))
            held = self._hold(passages[0], len(task) + self._answer_tokens)
            draft = Draft(Rule(self._instructions, instruction, " ".join((first, *others))))
            try:
                return (yield from self._write(held, task, draft))
            finally:
                self._held.take_back(held)

    def rewrite(self, question: str, conversation: str, language: str) -> str:
        """The last question of a conversation, rewritten to stand alone. Nothing of it is kept in memory or on disk."""
        with self._lock.taken():
            task = self._task(self._prompts.follow_up.fill(question=normalise(question), language=language))
            more, said = len(task) + self._answer_tokens, normalise(conversation)
            tokens = self._model.tokens((Piece(said, trusted=False),))[-max(1, self._held.room_for(more)) :]
            with self._held.aside(tokens, more) as held:
                return "".join(self._write(held, task, Draft(Rule(self._instructions, "", said))))

    def is_stored(self, passage: str) -> bool:
        """Whether the store has the passage's state."""
        return self._key(passage) in self._held.store

    def warm(self, passage: str) -> None:
        """Read a passage before any question needs it, and store its state.

        Raises StorageError or OSError if it cannot be stored.
        """
        store = self._held.store
        with self._lock.taken():
            held = self._hold(passage, self._answer_tokens)
            store.settle()
            if not self.is_stored(passage):
                store.write(self._key(passage), self._held.state(held))

    def close(self) -> None:
        """Free the model's memory, once the answer that is being written has ended.

        Raises RuntimeError if it is written in this thread, by a generator that is still open.
        """
        with self._lock.taken():
            self._context.close()
            self._model.close()

    def _write(self, held: Held, task: Sequence[int], draft: Draft) -> Generator[str, None, bool]:
        """Yields the pieces of the text. Returns whether it was cut."""
        position, tokens = held.end, task
        for _ in range(self._answer_tokens):
            logits = self._context.read(held.sequence, position, tokens)
            chosen = self._next(logits, draft)
            if chosen is None:
                return False
            token, written = chosen
            if written:
                yield written
            position, tokens = position + len(tokens), [token]
        # An answer of exactly the most tokens may be complete: the token after its last one shows.
        return self._next(self._context.read(held.sequence, position, tokens), draft) is not None

    def _next(self, logits: NDArray[np.float32], draft: Draft) -> tuple[int, str] | None:
        """The likeliest token that the rule allows, and the characters that it completes; None at the end of the answer."""
        for _ in range(_MOST_REFUSED):
            token = int(logits.argmax())
            if token in self._model.ends:
                return None
            logits[token] = -np.inf
            if token not in self._model.control and (written := draft.take(self._model.piece(token))) is not None:
                return token, written
            if draft.is_over:
                return None
        return None

    def _frame(self) -> tuple[tuple[Piece, ...], tuple[Piece, ...], tuple[Piece, ...]]:
        """The fixed text before the passage, between passage and task, and after the task, from the model's chat template."""
        user = self._prompts.passage.text.replace("{passage}", _PASSAGE_MARK) + "\n\n" + _TASK_MARK
        prompt = self._model.chat(self._prompts.system.text, user)
        parts = prompt.replace(_TASK_MARK, _PASSAGE_MARK).split(_PASSAGE_MARK)
        if len(parts) != 3:
            raise WeightsError("the model's chat template drops or repeats the question", HINT)
        before, between, after = ((Piece(part, trusted=True),) for part in parts)
        return before, between, after

    def _task(self, pieces: Sequence[Piece]) -> list[int]:
        return self._model.tokens((*self._between, *pieces, *self._after))

    def _first_tokens(self, word: str) -> list[int]:
        """The first token of each spelling of the word that the model may write."""
        ways = (word, word.lower(), " " + word)
        return sorted({self._model.tokens((Piece(way, trusted=False),))[0] for way in ways})

    def _hold(self, passage: str, more: int) -> Held:
        """The passage in the context, with room for `more` tokens after it."""
        return self._held.hold(passage, self._passage_tokens(passage, more), more)

    def _key(self, passage: str) -> str:
        return self._held.key(self._passage_tokens(passage, self._answer_tokens))

    def _passage_tokens(self, passage: str, more: int) -> list[int]:
        """The tokens of the passage that are read, if `more` tokens follow it."""
        room = self._held.room_for(more)
        if room < _LEAST_PASSAGE:
            raise QuestionError("the question leaves no room for a passage in the model's context", "ask more briefly")
        # A chunk is measured in the embedder's tokens, so it may be too long for this context. Then its beginning is read.
        return self._model.tokens((Piece(normalise(passage), trusted=False),))[:room]
