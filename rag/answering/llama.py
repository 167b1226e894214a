"""The reader on llama.cpp, in this process. The only importer of llama_cpp.

Every passage is read by itself, right after one fixed prefix, in a sequence of its own of one context. Judging and answering
append to that sequence and are taken off again, so a passage is read once however often it is asked about, also by later
questions, until the context needs its room; then, and in other processes, the store gives its state back, byte for byte.
Positions never move, so the numbers are those of reading afresh.
"""

import codecs
import ctypes
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import ClassVar

import llama_cpp
import numpy as np
from llama_cpp import llama_cpp as C  # noqa: N812 - the name of the C interface throughout its own examples
from llama_cpp.llama_chat_format import Jinja2ChatFormatter
from numpy.typing import NDArray

from rag.answering.prompt import Piece, Prompts
from rag.answering.store import PassageStore, key
from rag.errors import QuestionError, WeightsError
from rag.text import normalise
from rag.weights.sources import Source

# Tokens read at a time: between two batches an interruption is heard (about two seconds on two slow cores).
_BATCH = 128
# Tokens of a passage below which reading it makes no sense.
_LEAST_PASSAGE = 64
# Passages kept in the context at once, beside the prefix in sequence 0.
_SEQUENCES = 32
# A sequence for what is not kept: a conversation, or a passage's cells while they are copied without the shared prefix.
_SCRATCH = _SEQUENCES
# What of a context's parameters changes no number of a passage's state: how large it is, and how many work on it.
_NEUTRAL = frozenset({"n_ctx", "n_seq_max", "n_threads", "n_threads_batch", "no_perf"})
_MEND = "set RAG_LLM to a GGUF chat model, or unset it to use the default"
# Stands where a passage and a task go while the model's own chat template is filled.
_PASSAGE_MARK, _TASK_MARK = "\ue000", "\ue001"
# Where the GGUF carries no chat template.
_CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{{ '<|im_start|>assistant\n' }}"
)


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _silent(_level: int, _text: bytes, _data: ctypes.c_void_p) -> None:
    """llama.cpp tells its life story on standard error; errors reach us as return values."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A passage in the context: its sequence, and the position after its last token."""

    sequence: int
    end: int


class LlamaReader:
    """A `Reader`. One question at a time: calls from several threads wait for each other."""

    # Of keys and values in the context. q8_0 takes half the room, and changed an answer of five (benchmarks/RESULTS.md).
    cache_type: ClassVar[int] = C.GGML_TYPE_F16

    def __init__(
        self, source: Source, prompts: Prompts, *, store: PassageStore, threads: int, context_tokens: int, answer_tokens: int
    ) -> None:
        """Load the model. Raises WeightsError where llama.cpp cannot."""
        llama_cpp.llama_log_set(_silent, ctypes.c_void_p())
        C.llama_backend_init()
        self._lock = RLock()
        self._prompts, self._answer_tokens, self._room, self._store = prompts, answer_tokens, context_tokens, store
        self._model = C.llama_model_load_from_file(str(source.path).encode(), C.llama_model_default_params())
        if not self._model:
            raise WeightsError(f"llama.cpp cannot load {source.path}", _MEND)
        self._vocabulary = C.llama_model_get_vocab(self._model)
        self._vocabulary_size: int = C.llama_vocab_n_tokens(self._vocabulary)
        parameters = _context_parameters(threads, context_tokens, self.cache_type)
        self._context = C.llama_init_from_model(self._model, parameters)
        if not self._context:
            raise WeightsError(
                f"llama.cpp has no room for a context of {context_tokens} tokens", "set RAG_CONTEXT_TOKENS lower"
            )
        self._memory = C.llama_get_memory(self._context)
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._before, self._between, self._after = self._frame()
        self._prefix = self._tokens(self._before, beginning=True)
        self._made_by = (source.digest.encode(), build(), numbers(parameters), _as_bytes(self._prefix))
        self._read(0, 0, self._prefix)
        self._yes, self._no = self._first_tokens("Yes"), self._first_tokens("No")

    def judge(self, question: str, passage: str) -> float:
        """Log-odds that the passage answers: log P(Yes) - log P(No) of the model's next word."""
        with self._lock:
            task = self._task(self._prompts.judge.fill(question=normalise(question)))
            held = self._hold(passage, len(task))
            try:
                logits = self._read(held.sequence, held.end, task).astype(np.float64)
            finally:
                self._take_back(held)
            return float(np.logaddexp.reduce(logits[self._yes]) - np.logaddexp.reduce(logits[self._no]))

    def answer(self, question: str, passages: Sequence[str], instruction: str) -> Iterator[str]:
        """The most likely answer, token by token. Leave the iterator early and the model stops.

        The first passage is held as it was read by itself; the others are read after it, each time.
        """
        with self._lock:
            further = [piece for passage in passages[1:] for piece in self._prompts.further(normalise(passage))]
            asked = self._prompts.answer.fill(question=normalise(question), instruction=instruction)
            task = self._task((*further, *asked))
            held = self._hold(passages[0], len(task) + self._answer_tokens)
            try:
                logits = self._read(held.sequence, held.end, task)
                yield from self._write(held.sequence, held.end + len(task), logits)
            finally:
                self._take_back(held)

    def rewrite(self, question: str, conversation: str, language: str) -> str:
        """The last question of a conversation as the model would ask it alone. Nothing of it is kept, in memory or on disk."""
        filled = self._prompts.follow_up.fill(question=normalise(question), language=language)
        with self._lock:
            task = self._task(filled)
            room = self._room - len(self._prefix) - len(task) - self._answer_tokens
            said = [*self._tokens((Piece(normalise(conversation), trusted=False),))[-max(1, room) :], *task]
            self._make_room(len(said) + self._answer_tokens, keeping="")
            C.llama_memory_seq_cp(self._memory, 0, _SCRATCH, -1, -1)
            try:
                logits = self._read(_SCRATCH, len(self._prefix), said)
                return "".join(self._write(_SCRATCH, len(self._prefix) + len(said), logits))
            finally:
                C.llama_memory_seq_rm(self._memory, _SCRATCH, -1, -1)

    def is_stored(self, passage: str) -> bool:
        """Whether the passage's state lies in the store."""
        return self._key(self._passage_tokens(passage, self._answer_tokens)) in self._store

    def warm(self, passage: str) -> None:
        """Read a passage before anybody asks, and store its state.

        Raises StorageError or OSError where the disk does not take it.
        """
        with self._lock:
            held = self._hold(passage, self._answer_tokens)
            self._store.settle()
            if not self.is_stored(passage):
                self._store.write(self._key(self._passage_tokens(passage, self._answer_tokens)), self._state(held.sequence))

    def close(self) -> None:
        """Free the model's memory."""
        C.llama_free(self._context)
        C.llama_model_free(self._model)

    def _write(self, sequence: int, position: int, logits: NDArray[np.float32]) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for step in range(self._answer_tokens):
            token = int(logits.argmax())
            if C.llama_vocab_is_eog(self._vocabulary, token):
                break
            if piece := decoder.decode(self._piece(token)):
                yield piece
            logits = self._read(sequence, position + step, [token])

    def _frame(self) -> tuple[tuple[Piece, ...], tuple[Piece, ...], tuple[Piece, ...]]:
        """The fixed text before a passage, between passage and task, and after the task, by the model's chat template."""
        user = self._prompts.passage.text.replace("{passage}", _PASSAGE_MARK) + "\n\n" + _TASK_MARK
        messages = [{"role": "system", "content": self._prompts.system.text}, {"role": "user", "content": user}]
        formatter = Jinja2ChatFormatter(self._chat_template() or _CHATML, eos_token="", bos_token="")
        try:
            prompt = formatter(messages=messages).prompt
        except Exception as error:
            raise WeightsError(f"the model's chat template fails ({error})", _MEND) from error
        parts = prompt.replace(_TASK_MARK, _PASSAGE_MARK).split(_PASSAGE_MARK)
        if len(parts) != 3:
            raise WeightsError("the model's chat template drops or repeats the question", _MEND)
        before, between, after = ((Piece(part, trusted=True),) for part in parts)
        return before, between, after

    def _chat_template(self) -> str | None:
        raw = C.llama_model_chat_template(self._model, None)
        return raw.decode("utf-8") if raw else None

    def _task(self, pieces: Sequence[Piece]) -> list[int]:
        return self._tokens((*self._between, *pieces, *self._after))

    def _tokens(self, pieces: Sequence[Piece], *, beginning: bool = False) -> list[int]:
        """Tokens of the pieces. Only what is trusted may hold control tokens: `<|im_end|>` in a document is plain text.

        At the `beginning` of a prompt stands whatever token the model wants there.
        """
        tokens: list[int] = []
        for piece in pieces:
            raw = piece.text.encode("utf-8", "replace")
            buffer = (C.llama_token * (len(raw) + 8))()
            special = beginning and not tokens
            count = C.llama_tokenize(self._vocabulary, raw, len(raw), buffer, len(buffer), special, piece.trusted)
            tokens += buffer[:count]
        return tokens

    def _first_tokens(self, word: str) -> list[int]:
        """The first token of each way the model may write the word."""
        ways = (word, word.lower(), " " + word)
        return sorted({self._tokens((Piece(way, trusted=False),))[0] for way in ways})

    def _piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        length = C.llama_token_to_piece(self._vocabulary, token, buffer, len(buffer), 0, 0)
        return buffer.raw[: max(0, length)]

    def _hold(self, passage: str, more: int) -> _Held:
        """The passage read into a sequence, with room for `more` tokens after it. The least recently used give way."""
        tokens = self._passage_tokens(passage, more)
        held = self._held.get(passage)
        if held and held.end + more <= self._room:
            self._held.move_to_end(passage)
            self._make_room(more, keeping=passage)
            return held
        if held:
            self._drop(passage)
        self._make_room(len(tokens) + more, keeping=passage)
        sequence = min(set(range(1, _SEQUENCES)) - {held.sequence for held in self._held.values()})
        try:
            self._fill(sequence, tokens)
        except BaseException:
            C.llama_memory_seq_rm(self._memory, sequence, -1, -1)
            raise
        self._held[passage] = _Held(sequence, len(self._prefix) + len(tokens))
        return self._held[passage]

    def _passage_tokens(self, passage: str, more: int) -> list[int]:
        """What is read of the passage where `more` tokens are to follow it."""
        room = self._room - len(self._prefix) - more
        if room < _LEAST_PASSAGE:
            raise QuestionError("the question leaves no room for a passage in the model's context", "ask more briefly")
        # A chunk that the embedder's tokens undercount may be longer than the context: its beginning is read.
        return self._tokens((Piece(normalise(passage), trusted=False),))[:room]

    def _fill(self, sequence: int, tokens: Sequence[int]) -> None:
        """Prefix and passage into an empty sequence: from the store, else by reading, and then the store has it."""
        name = self._key(tokens)
        state = self._store.get(name)
        if state is not None:
            if self._restore(sequence, state, len(tokens)):
                return
            self._store.reject(name)
        C.llama_memory_seq_cp(self._memory, 0, sequence, -1, -1)
        self._read(sequence, len(self._prefix), tokens)
        self._store.put(name, self._state(sequence))

    def _key(self, tokens: Sequence[int]) -> str:
        return key(*self._made_by, _as_bytes(tokens))

    def _state(self, sequence: int) -> bytes:
        """The passage's cells of a sequence: keys, values and positions. The copy takes milliseconds."""
        C.llama_memory_seq_cp(self._memory, sequence, _SCRATCH, len(self._prefix), -1)
        try:
            buffer = (ctypes.c_uint8 * C.llama_state_seq_get_size(self._context, _SCRATCH))()
            length = C.llama_state_seq_get_data(self._context, buffer, len(buffer), _SCRATCH)
            return bytes(buffer)[:length]
        finally:
            C.llama_memory_seq_rm(self._memory, _SCRATCH, -1, -1)

    def _restore(self, sequence: int, state: bytes, count: int) -> bool:
        """Whether the state of `count` tokens now stands in the sequence, after the prefix, whose cells it shares."""
        buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        C.llama_state_seq_set_data(self._context, buffer, len(buffer), sequence)
        ends = C.llama_memory_seq_pos_min(self._memory, sequence), C.llama_memory_seq_pos_max(self._memory, sequence)
        if ends != (len(self._prefix), len(self._prefix) + count - 1):
            C.llama_memory_seq_rm(self._memory, sequence, -1, -1)
            return False
        C.llama_memory_seq_cp(self._memory, 0, sequence, -1, -1)
        return True

    def _make_room(self, needed: int, keeping: str) -> None:
        while self._used() + needed > self._room or len(self._held) >= _SEQUENCES - 1:
            oldest = next((passage for passage in self._held if passage != keeping), None)
            if oldest is None:
                break
            self._drop(oldest)

    def _drop(self, passage: str) -> None:
        C.llama_memory_seq_rm(self._memory, self._held.pop(passage).sequence, -1, -1)

    def _used(self) -> int:
        """Cells in use. Sequences share the prefix's."""
        return len(self._prefix) + sum(held.end - len(self._prefix) for held in self._held.values())

    def _take_back(self, held: _Held) -> None:
        C.llama_memory_seq_rm(self._memory, held.sequence, held.end, -1)

    def _read(self, sequence: int, position: int, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Append tokens to a sequence; the logits after the last, shape (vocabulary,)."""
        for start in range(0, len(tokens), _BATCH):
            self._decode(sequence, position + start, tokens[start : start + _BATCH])
        row = C.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(row, (self._vocabulary_size,)).copy()

    def _decode(self, sequence: int, position: int, tokens: Sequence[int]) -> None:
        batch = C.llama_batch_init(len(tokens), 0, 1)
        try:
            batch.n_tokens = len(tokens)
            for i, token in enumerate(tokens):
                batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position + i, 1
                batch.seq_id[i][0], batch.logits[i] = sequence, i == len(tokens) - 1
            if status := C.llama_decode(self._context, batch):
                raise WeightsError(f"llama.cpp could not read the text (status {status})", "set RAG_CONTEXT_TOKENS higher")
        finally:
            C.llama_batch_free(batch)


def build() -> bytes:
    """What llama.cpp this is, and which of the processor's instructions it computes with."""
    system: bytes = C.llama_print_system_info()
    return f"{llama_cpp.__version__} {C.LLAMA_STATE_SEQ_VERSION} ".encode() + system


def numbers(parameters: "C.llama_context_params") -> bytes:
    """All of a context's parameters that may change the numbers it computes: what is new to us is taken to do so."""
    values = ((name, getattr(parameters, name)) for name, *_ in parameters._fields_ if name not in _NEUTRAL)
    return repr([(name, value) for name, value in values if isinstance(value, int | float)]).encode()


def _as_bytes(tokens: Sequence[int]) -> bytes:
    return np.array(tokens, dtype="<i4").tobytes()


def _context_parameters(threads: int, context_tokens: int, cache_type: int) -> "C.llama_context_params":
    parameters = C.llama_context_default_params()
    parameters.n_ctx, parameters.n_seq_max = context_tokens, _SEQUENCES + 1
    parameters.n_batch = parameters.n_ubatch = _BATCH
    parameters.n_threads = parameters.n_threads_batch = threads
    parameters.type_k = parameters.type_v = cache_type
    if cache_type != C.GGML_TYPE_F16:
        # Values can be quantised only for it.
        parameters.flash_attn_type = C.LLAMA_FLASH_ATTN_TYPE_ENABLED
    # One pool of cells for all sequences: a sequence may be as long as there is room, and the prefix is stored once.
    parameters.kv_unified = True
    return parameters
