"""A language model's weights, vocabulary and chat template, by llama.cpp. Knows no passage and no question."""

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
# Tokens that are no text: of roles, turns, tools, fill-in-the-middle, and those that were never trained.
_NO_TEXT = C.LLAMA_TOKEN_ATTR_UNKNOWN | C.LLAMA_TOKEN_ATTR_UNUSED | C.LLAMA_TOKEN_ATTR_CONTROL | C.LLAMA_TOKEN_ATTR_USER_DEFINED
# Layers on a GPU, for llama.cpp: any negative number is all.
_ALL_LAYERS = -1
_NO_DEVICES = (ctypes.c_void_p * 1)()
# ggml_backend_dev_type of ggml-backend.h: with memory of its own, and with the processor's.
_GPU_TYPES = {1, 2}
# Where the GGUF carries no chat template.
_CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{{ '<|im_start|>assistant\n' }}"
)


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _silent(_level: int, _text: bytes, _data: ctypes.c_void_p) -> None:
    """llama.cpp tells its life story on standard error; errors reach us as return values."""


@dataclass(frozen=True, slots=True)
class Offload:
    """What runs on a GPU: how many of a model's layers (negative: all), and on which devices. Without a GPU 0 and none."""

    layers: int
    devices: tuple[str, ...]

    def __str__(self) -> str:
        return f"{'all' if self.layers < 0 else self.layers} layers on {', '.join(self.devices)}"


def offload(gpu_layers: int | None) -> Offload:
    """What this build of llama.cpp puts on a GPU of this machine where that many layers are wanted; None is all."""
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
    """The model of a GGUF file. `control` are its tokens that are no text, and `ends` those that end a turn."""

    def __init__(self, source: Source, *, gpu_layers: int | None = None) -> None:
        """Load it, with so many layers on a GPU if there is one; None is all. Raises WeightsError where llama.cpp cannot."""
        llama_cpp.llama_log_set(_silent, ctypes.c_void_p())
        C.llama_backend_init()
        parameters = C.llama_model_default_params()
        # Numbers that are computed from repacked weights differ in their last digits.
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
        """Tokens of the pieces. Only what is trusted has control tokens: `<|im_end|>` in a document is plain text.

        At the `beginning` of a prompt stands whatever token the model wants there.
        """
        tokens: list[int] = []
        for piece in pieces:
            tokens += self._trusted(piece.text, beginning and not tokens) if piece.trusted else self._plain(piece.text)
        return tokens

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """The bytes that a token stands for; of a control token none, unless `special`. They may end within a character."""
        buffer = ctypes.create_string_buffer(256)
        length = C.llama_token_to_piece(self._vocabulary, token, buffer, len(buffer), 0, special)
        return buffer.raw[: max(0, length)]

    def control_names(self) -> list[str]:
        """How the control tokens are written."""
        return [self.piece(token, special=True).decode("utf-8", "replace") for token in sorted(self.control)]

    def chat(self, system: str, user: str) -> str:
        """The two turns and the beginning of the third in the model's own chat template. Raises WeightsError."""
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

    def _trusted(self, text: str, beginning: bool) -> list[int]:  # noqa: FBT001 - as llama.cpp has it
        return self._tokens(text, beginning=beginning, control=True)

    def _plain(self, text: str) -> list[int]:
        """Tokens of a text, none of them control.

        llama.cpp leaves control tokens out when told to, but not those that the model's makers added as "user defined"
        (`<tool_call>`), nor those that pieces of words merge to (`</s>` in Qwen's vocabulary).
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
        """Runs of spaces and line breaks, which some models' makers added as tokens, are text."""
        marked = (token for token in range(self.size) if C.llama_vocab_get_attr(self._vocabulary, token) & _NO_TEXT)
        return frozenset(token for token in marked if not self.piece(token, special=True).isspace())


def repacking_pays(system: bytes) -> bool:
    """Whether llama.cpp is to copy the weights into another order when it loads them, by what it says of the processor.

    Not on x86-64 without AMX: with weights as they lie in the file the default model is there in .5 s in place of 1.1, takes
    .6 GB less, reads 1.2 to 1.5 times as many tokens a second and writes .8 to .95 times as many (benchmarks/RESULTS.md). AMX
    needs the other order; elsewhere neither was measured, and llama.cpp's own choice stands.
    """
    return b"AVX2 = 1" not in system or b"AMX" in system
