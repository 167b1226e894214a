"""A llama.cpp context: sequences of key-value cells, each a text that the model has read. Knows no passages or questions."""

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

# Type of keys and values in the cells.
FLOAT16: int = C.GGML_TYPE_F16
# Sequences for texts, not counting the scratch sequence.
SEQUENCES = 32
# Holds, for a moment, the cells of another sequence that are copied out without the prefix that it shares.
_SCRATCH = SEQUENCES
# Tokens decoded at a time. Memory grows with it, and larger batches were no faster.
_BATCH = 128
# Context parameters that do not change the numbers in a state: its size, the number of threads, whether it is timed.
_NEUTRAL = frozenset({"n_ctx", "n_seq_max", "n_threads", "n_threads_batch", "no_perf"})
_ABORTED = 2
# llama.cpp's notation for the start and the end of a sequence.
_ALL = -1


class Context:
    """A context of `tokens` cells, for one thread at a time. Stopping the thread's work stops the model within a batch."""

    def __init__(self, model: Model, *, threads: int, tokens: int, cache_type: int) -> None:
        """`cache_type` is the type of keys and values. Raises WeightsError if memory does not suffice."""
        self._size = model.size
        made = parameters(threads, tokens, cache_type)
        # Everything except the weights that its numbers depend on.
        order = b"repacked" if model.repacked else b"as in the file"
        self.made_by = build(), numbers(made), order, *((str(model.offload).encode(),) if model.offload.layers else ())
        self._context = C.llama_init_from_model(model.handle, made)
        if not self._context:
            raise WeightsError(f"llama.cpp has no room for a context of {tokens} tokens", "set RAG_CONTEXT_TOKENS lower")
        self._memory = C.llama_get_memory(self._context)
        self._aborting = _Abort(self._context)

    def read(self, sequence: int, position: int, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Append tokens to a sequence that ends before `position`. Returns the logits after the last, shape (vocabulary,).

        Raises Stopped; then an unknown number of the tokens is in the sequence: drop it from `position` on.
        """
        with self._aborting.heeded():
            for start in range(0, len(tokens), _BATCH):
                self._decode(sequence, position + start, tokens[start : start + _BATCH])
        row = C.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(row, (self._size,)).copy()

    def share(self, source: int, target: int, start: int = _ALL) -> None:
        """Add the cells of `source` from `start` on to `target`, without copying them."""
        C.llama_memory_seq_cp(self._memory, source, target, start, _ALL)

    def drop(self, sequence: int, start: int = _ALL) -> None:
        """Remove the cells from `start` on from a sequence."""
        C.llama_memory_seq_rm(self._memory, sequence, start, _ALL)

    def state(self, sequence: int, start: int) -> bytes:
        """The cells of a sequence from `start` on, serialised: keys, values and positions. Takes milliseconds."""
        self.share(sequence, _SCRATCH, start)
        try:
            buffer = (ctypes.c_uint8 * C.llama_state_seq_get_size(self._context, _SCRATCH))()
            length = C.llama_state_seq_get_data(self._context, buffer, len(buffer), _SCRATCH)
            return bytes(buffer)[:length]
        finally:
            self.drop(_SCRATCH)

    def restore(self, sequence: int, state: bytes) -> tuple[int, int]:
        """Load a state into an empty sequence. Returns its first and last position, -1 each if llama.cpp rejects the state."""
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
    """Stops llama.cpp within a batch, which may take two seconds: llama.cpp calls a function before each node of its graph.

    That function must not be Python: a thousand times per token it would wait for the interpreter lock, up to 5 ms while
    another thread holds it. C's `strlen` has the right signature: on the flag it returns 0 (go on) while the byte is 0, and 1
    (abort) once it is 1.

    Layers on a CUDA or Vulkan GPU do not call it: there the work stops between batches.
    """

    def __init__(self, context: int) -> None:
        self._flag = (ctypes.c_char * 2)()
        self._length = ctypes.cast(ctypes.CDLL(None).strlen, C.ggml_abort_callback)
        C.llama_set_abort_callback(context, self._length, ctypes.addressof(self._flag))

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Within this context, stopping the thread's work stops the model too."""
        self._flag[0] = b"\0"
        with stopping.current().telling(self._set):
            yield

    def _set(self) -> None:
        self._flag[0] = b"\1"


def build() -> bytes:
    """The version of llama.cpp, and the processor instructions that it uses."""
    system: bytes = C.llama_print_system_info()
    return f"{llama_cpp.__version__} {C.LLAMA_STATE_SEQ_VERSION} ".encode() + system


def numbers(made: "C.llama_context_params") -> bytes:
    """The context parameters that may change the numbers it computes. Parameters that we do not know are assumed to."""
    values = ((name, getattr(made, name)) for name, *_ in made._fields_ if name not in _NEUTRAL)
    return repr([(name, value) for name, value in values if isinstance(value, int | float)]).encode()


def parameters(threads: int, tokens: int, cache_type: int) -> "C.llama_context_params":
    """The parameters of a context."""
    made = C.llama_context_default_params()
    made.n_ctx, made.n_seq_max = tokens, SEQUENCES + 1
    made.n_batch = made.n_ubatch = _BATCH
    made.n_threads = made.n_threads_batch = threads
    made.type_k = made.type_v = cache_type
    if cache_type != FLOAT16:
        # llama.cpp quantises values only with flash attention.
        made.flash_attn_type = C.LLAMA_FLASH_ATTN_TYPE_ENABLED
    # One pool of cells for all sequences: a sequence may use all that is free, and the shared prefix is stored once.
    made.kv_unified = True
    return made
