"""A context of llama.cpp: sequences of cells, each a text that the model has read. Knows no passage and no question."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import llama_cpp
import numpy as np
from llama_cpp import llama_cpp as C  # noqa: N812 - the name of the C interface throughout its own examples
from numpy.typing import NDArray

from rag import stopping
from rag.answering.local.model import Model
from rag.errors import WeightsError
from rag.stopping import Stopped

# Of keys and values in the cells.
FLOAT16: int = C.GGML_TYPE_F16
# Sequences that hold something, beside the one for a copy.
SEQUENCES = 32
# A sequence for the moment in which some of another's cells are copied without those that it shares.
_SCRATCH = SEQUENCES
# Tokens read at a time: the memory for them is of this size, and more at a time are no faster.
_BATCH = 128
# What of a context's parameters changes no number of a state: how large it is, how many work on it, and what stops them.
_NEUTRAL = frozenset({"n_ctx", "n_seq_max", "n_threads", "n_threads_batch", "no_perf"})
_ABORTED = 2
# A sequence's beginning and its end, for llama.cpp.
_ALL = -1


class Context:
    """Room for `tokens` cells, for one thread at a time. What stops its work stops the model within a batch."""

    def __init__(self, model: Model, *, threads: int, tokens: int, cache_type: int) -> None:
        """`cache_type` is that of keys and values. Raises WeightsError where there is no room."""
        self._size = model.size
        made = parameters(threads, tokens, cache_type)
        # What its numbers depend on, beside the weights.
        order = b"repacked" if model.repacked else b"as in the file"
        self.made_by = build(), numbers(made), order, *((str(model.offload).encode(),) if model.offload.layers else ())
        self._context = C.llama_init_from_model(model.handle, made)
        if not self._context:
            raise WeightsError(f"llama.cpp has no room for a context of {tokens} tokens", "set RAG_CONTEXT_TOKENS lower")
        self._memory = C.llama_get_memory(self._context)
        self._aborting = _Abort(self._context)

    def read(self, sequence: int, position: int, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Append tokens to a sequence that ends before `position`; the logits after the last, shape (vocabulary,).

        Raises Stopped, after which an unknown part of the tokens stands in the sequence: drop it from `position` on.
        """
        with self._aborting.heeded():
            for start in range(0, len(tokens), _BATCH):
                self._decode(sequence, position + start, tokens[start : start + _BATCH])
        row = C.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(row, (self._size,)).copy()

    def share(self, source: int, target: int, start: int = _ALL) -> None:
        """Make the cells of one sequence from `start` on those of another one too."""
        C.llama_memory_seq_cp(self._memory, source, target, start, _ALL)

    def drop(self, sequence: int, start: int = _ALL) -> None:
        """Take the cells from `start` on out of a sequence."""
        C.llama_memory_seq_rm(self._memory, sequence, start, _ALL)

    def state(self, sequence: int, start: int) -> bytes:
        """The cells of a sequence from `start` on: keys, values and positions. The copy takes milliseconds."""
        self.share(sequence, _SCRATCH, start)
        try:
            buffer = (ctypes.c_uint8 * C.llama_state_seq_get_size(self._context, _SCRATCH))()
            length = C.llama_state_seq_get_data(self._context, buffer, len(buffer), _SCRATCH)
            return bytes(buffer)[:length]
        finally:
            self.drop(_SCRATCH)

    def restore(self, sequence: int, state: bytes) -> tuple[int, int]:
        """Put a state into an empty sequence; the first and last position there then, -1 where llama.cpp does not take it."""
        buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        C.llama_state_seq_set_data(self._context, buffer, len(buffer), sequence)
        first: int = C.llama_memory_seq_pos_min(self._memory, sequence)
        last: int = C.llama_memory_seq_pos_max(self._memory, sequence)
        return first, last

    def close(self) -> None:
        """Free its memory."""
        C.llama_free(self._context)

    def _decode(self, sequence: int, position: int, tokens: Sequence[int]) -> None:
        stopping.current().check()
        batch = C.llama_batch_init(len(tokens), 0, 1)
        try:
            batch.n_tokens = len(tokens)
            for i, token in enumerate(tokens):
                batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position + i, 1
                batch.seq_id[i][0], batch.logits[i] = sequence, i == len(tokens) - 1
            status = C.llama_decode(self._context, batch)
        finally:
            C.llama_batch_free(batch)
        if status == _ABORTED:
            raise Stopped
        if status:
            raise WeightsError(f"llama.cpp could not read the text (status {status})", "set RAG_CONTEXT_TOKENS higher")


class _Abort:
    """Stops llama.cpp within a batch, which may take it two seconds: it asks a function before each step of its graph.

    Python must not be that function: a thousand times a token it would wait for the interpreter's lock, up to 5 ms while
    another thread has it. `strlen` has the right shape: of a byte that is 0 it says 0, no, and once a 1 stands there 1, yes.

    Layers on a CUDA or Vulkan GPU do not ask: there the work stops between batches.
    """

    def __init__(self, context: int) -> None:
        self._flag = (ctypes.c_char * 2)()
        self._length = ctypes.cast(ctypes.CDLL(None).strlen, C.ggml_abort_callback)
        C.llama_set_abort_callback(context, self._length, ctypes.addressof(self._flag))

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Within it the thread's stop is the model's."""
        self._flag[0] = b"\0"
        with stopping.current().telling(self._set):
            yield

    def _set(self) -> None:
        self._flag[0] = b"\1"


def build() -> bytes:
    """What llama.cpp this is, and which of the processor's instructions it computes with."""
    system: bytes = C.llama_print_system_info()
    return f"{llama_cpp.__version__} {C.LLAMA_STATE_SEQ_VERSION} ".encode() + system


def numbers(made: "C.llama_context_params") -> bytes:
    """All of a context's parameters that may change the numbers it computes: what is new to us is taken to do so."""
    values = ((name, getattr(made, name)) for name, *_ in made._fields_ if name not in _NEUTRAL)
    return repr([(name, value) for name, value in values if isinstance(value, int | float)]).encode()


def parameters(threads: int, tokens: int, cache_type: int) -> "C.llama_context_params":
    """Those of a context."""
    made = C.llama_context_default_params()
    made.n_ctx, made.n_seq_max = tokens, SEQUENCES + 1
    made.n_batch = made.n_ubatch = _BATCH
    made.n_threads = made.n_threads_batch = threads
    made.type_k = made.type_v = cache_type
    if cache_type != FLOAT16:
        # Values can be quantised only for it.
        made.flash_attn_type = C.LLAMA_FLASH_ATTN_TYPE_ENABLED
    # One pool of cells for all sequences: a sequence may be as long as there is room, and the prefix is stored once.
    made.kv_unified = True
    return made
