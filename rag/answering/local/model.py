"""A language model's weights, vocabulary and chat template, loaded by llama.cpp. Knows no passages and no questions."""

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import llama_cpp
from llama_cpp import _ggml
from llama_cpp import llama_cpp as C  # noqa: N812 - the name of the C interface throughout its own examples
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from rag.answering.prompt import Piece, neutralise
from rag.errors import WeightsError
from rag.weights.sources import Source

HINT = "set RAG_LLM to a GGUF chat model, or unset it to use the default"
# Tokens that are not text: roles, turns, tools, fill-in-the-middle, and tokens that were never trained.
_NO_TEXT = C.LLAMA_TOKEN_ATTR_UNKNOWN | C.LLAMA_TOKEN_ATTR_UNUSED | C.LLAMA_TOKEN_ATTR_CONTROL | C.LLAMA_TOKEN_ATTR_USER_DEFINED
# Layers on a GPU, for llama.cpp: any negative number is all.
_ALL_LAYERS = -1
_NO_DEVICES = (ctypes.c_void_p * 1)()
# ggml_backend_dev_type of ggml-backend.h: with memory of its own, and with the processor's.
_GPU_TYPES = {1, 2}
# Used if the GGUF has no chat template.
_CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{{ '<|im_start|>assistant\n' }}"
)


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _silent(_level: int, _text: bytes, _data: ctypes.c_void_p) -> None:
    """Drops the log that llama.cpp writes to standard error; its errors reach us as return values."""


@dataclass(frozen=True, slots=True)
class Offload:
    """The number of a model's layers that run on a GPU (negative: all), and its devices. Without a GPU: 0 and none."""

    layers: int
    devices: tuple[str, ...]

    def __str__(self) -> str:
        return f"{'all' if self.layers < 0 else self.layers} layers on {', '.join(self.devices)}"


def offload(gpu_layers: int | None) -> Offload:
    """The offload of this build of llama.cpp on this machine if so many layers are requested; None requests all."""
    if gpu_layers == 0 or not C.llama_supports_gpu_offload():
        return Offload(0, ())
    return Offload(_ALL_LAYERS if gpu_layers is None else gpu_layers, tuple(_gpus()))


def _gpus() -> Iterator[str]:
    """The name and description of each GPU that llama.cpp sees. Its Python bindings lack these functions of ggml."""
    ggml = _ggml.libggml
    for name in ("get", "name", "description"):
        getattr(ggml, f"ggml_backend_dev_{name}").restype = ctypes.c_void_p if name == "get" else ctypes.c_char_p
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    for number in range(ggml.ggml_backend_dev_count()):
        device = ctypes.c_void_p(ggml.ggml_backend_dev_get(ctypes.c_size_t(number)))
        if ggml.ggml_backend_dev_type(device) in _GPU_TYPES:
            name, about = ggml.ggml_backend_dev_name(device), ggml.ggml_backend_dev_description(device)
            yield f"{name.decode()} ({about.decode('utf-8', 'replace')})"


class Model:
    """The model in a GGUF file. `control` is the set of tokens that are not text, `ends` the set of tokens that end a turn."""

    def __init__(self, source: Source, *, gpu_layers: int | None = None) -> None:
        """Load the file, with so many layers on a GPU if there is one; None is all. Raises WeightsError if llama.cpp cannot."""
        llama_cpp.llama_log_set(_silent, ctypes.c_void_p())
        C.llama_backend_init()
        parameters = C.llama_model_default_params()
        # Results computed from repacked weights differ in their last digits.
        self.repacked = parameters.use_extra_bufts = repacking_pays(C.llama_print_system_info())
        self.offload = offload(gpu_layers)
        parameters.n_gpu_layers = self.offload.layers
        if not self.offload.layers:
            # An empty list of devices. Without it a GPU build would still copy large matrices to the GPU to multiply them.
            parameters.devices = ctypes.cast(_NO_DEVICES, ctypes.c_void_p)
        self.handle = C.llama_model_load_from_file(str(source.path).encode(), parameters)
        if not self.handle:
            raise WeightsError(f"llama.cpp cannot load {source.path}", HINT)
        self._vocabulary = C.llama_model_get_vocab(self.handle)
        self.size: int = C.llama_vocab_n_tokens(self._vocabulary)
        self.control = self._control()
        self.ends = frozenset(token for token in range(self.size) if C.llama_vocab_is_eog(self._vocabulary, token))

    def tokens(self, pieces: Sequence[Piece], *, beginning: bool = False) -> list[int]:
        """Tokens of the pieces. Only trusted pieces may hold control tokens: `<|im_end|>` in a document is plain text.

        With `beginning`, the token that the model wants at the start of a prompt comes first.
        """
        tokens: list[int] = []
        for piece in pieces:
            tokens += self._trusted(piece.text, beginning and not tokens) if piece.trusted else self._plain(piece.text)
        return tokens

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """The bytes of a token, which may end within a character. A control token has none, unless `special`."""
        buffer = ctypes.create_string_buffer(256)
        length = C.llama_token_to_piece(self._vocabulary, token, buffer, len(buffer), 0, special)
        return buffer.raw[: max(0, length)]

    def control_names(self) -> list[str]:
        """The names of the control tokens, as in `<|im_end|>`."""
        return [self.piece(token, special=True).decode("utf-8", "replace") for token in sorted(self.control)]

    def chat(self, system: str, user: str) -> str:
        """A system and a user turn, and the start of the reply, in the model's own chat template. Raises WeightsError."""
        raw = C.llama_model_chat_template(self.handle, None)
        formatter = Jinja2ChatFormatter(raw.decode("utf-8") if raw else _CHATML, eos_token="", bos_token="")
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        try:
            prompt: str = formatter(messages=messages).prompt
        except Exception as error:
            raise WeightsError(f"the model's chat template fails ({error})", HINT) from error
        return prompt

    def close(self) -> None:
        """Free its memory."""
        C.llama_model_free(self.handle)

    def _trusted(self, text: str, beginning: bool) -> list[int]:  # noqa: FBT001 - as in llama.cpp
        return self._tokens(text, beginning=beginning, control=True)

    def _plain(self, text: str) -> list[int]:
        """Tokens of a text, without control tokens.

        llama.cpp can leave out control tokens, except those that the model's makers added as "user defined" (`<tool_call>`)
        and those that the merging of word pieces produces (`</s>` in Qwen's vocabulary).
        """
        tokens = self._tokens(text, beginning=False, control=False)
        if not self.control.isdisjoint(tokens):
            tokens = self._tokens(neutralise(text), beginning=False, control=False)
        return [token for token in tokens if token not in self.control]

    def _tokens(self, text: str, *, beginning: bool, control: bool) -> list[int]:
        raw = text.encode("utf-8", "replace")
        buffer = (C.llama_token * (len(raw) + 8))()
        count = C.llama_tokenize(self._vocabulary, raw, len(raw), buffer, len(buffer), beginning, control)
        return list(buffer[:count])

    def _control(self) -> frozenset[int]:
        """Tokens that are not text. Runs of spaces and line breaks, which some makers marked as user defined, are text."""
        marked = (token for token in range(self.size) if C.llama_vocab_get_attr(self._vocabulary, token) & _NO_TEXT)
        return frozenset(token for token in marked if not self.piece(token, special=True).isspace())


def repacking_pays(system: bytes) -> bool:
    """Whether llama.cpp should repack the weights when it loads them. `system` is its description of the processor.

    Not on x86-64 without AMX: with the file's own layout the default model loads in .5 s instead of 1.1, takes .6 GB less,
    reads 1.2 to 1.5 times as many tokens a second and writes .8 to .95 times as many (benchmarks/RESULTS.md). AMX needs the
    repacked layout. On other processors neither was measured, and llama.cpp's own default stands.
    """
    return b"AVX2 = 1" not in system or b"AMX" in system
