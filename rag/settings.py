"""The settings: one frozen table. Each field is a `RAG_*` environment variable and a flag of the command line."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rag.errors import QuestionError
from rag.weights import endpoint
from rag.weights.catalogue import EMBEDDER, JUDGE, LLM, SHIPPED

PREFIX = "RAG_"
# The judge that is the language model itself, and the one that is ours with the language model's second opinion.
LLM_JUDGE, BOTH_JUDGES = "llm", "both"
# What becomes of sentences that nothing supports.
DROP, FLAG = "drop", "flag"


def _setting(default: Any, about: str) -> Any:
    return field(default=default, metadata={"about": about})


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rag"


class Secret:
    """A text that is never shown: printed, logged or as JSON it only says whether it is set. Only a variable, never a flag."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for those who send it."""
        return self._text

    def __str__(self) -> str:
        return "set" if self._text else "not set"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a user may choose. Numbers that tune quality are constants in the code, beside their measurement."""

    home: Path = field(
        default_factory=Path.cwd, metadata={"about": "folder with seeds/, index/ and prompts/ (else the working one)"}
    )
    cache: Path = field(
        default_factory=_cache, metadata={"about": "folder of weights and read passages, shared by all homes of a user"}
    )
    embedder: str = _setting(EMBEDDER, "a catalogue name, a sentence-transformers folder, or a model of a hub")
    llm: str = _setting(LLM, "a catalogue name, a GGUF file, repo:file of a hub, or URL#MODEL of an OpenAI-compatible endpoint")
    llm_key: Secret = field(
        default_factory=Secret, metadata={"about": "the key that the language model's endpoint asks for; only a variable"}
    )
    judge: str = _setting(
        BOTH_JUDGES, f"{JUDGE}, the language model's yes or no (`llm`), ours and then that (`both`), or a cross-encoder's name"
    )
    threads: int = _setting(os.cpu_count() or 1, "processor threads for the language model")
    passages: int = _setting(4, "passages to judge for an answer, at most")
    min_confidence: float = _setting(0.35, "refuse to answer below this probability that a passage answers, 0 to 1")
    unsupported: str = _setting(DROP, f"`{DROP}` sentences of an answer that no passage supports, or `{FLAG}` them")
    context_tokens: int = _setting(4096, "tokens of passages the language model keeps in memory")
    store_mb: int = _setting(1000, "megabytes of read passages kept on disk, so that none is read twice; 0 keeps none")
    answer_tokens: int = _setting(160, "tokens of an answer, at most")
    host: str = _setting("127.0.0.1", "address that `rag serve` listens on")
    port: int = _setting(8000, "port that `rag serve` listens on")
    cors_origins: str = _setting("", "origins whose pages may use the service, as `https://a.example http://localhost:3000`")
    requests_per_minute: int = _setting(600, "requests to `rag serve` with one key in a minute, at most; 0 sets no limit")

    def __post_init__(self) -> None:
        """Raises QuestionError for a value without meaning."""
        _ = self.endpoint
        if not re.fullmatch(r"[!-~]*", self.llm_key.reveal()):
            raise QuestionError("llm_key has a sign that no key has", f"set {PREFIX}LLM_KEY to the key alone")
        _require_in("min_confidence", self.min_confidence, 0, 1)
        if self.unsupported not in {DROP, FLAG}:
            mend = f"set {PREFIX}UNSUPPORTED or --unsupported to {DROP} or {FLAG}"
            raise QuestionError(f"unsupported is {self.unsupported!r}", mend)
        _require_in("passages", self.passages, 1, 20)
        _require_in("threads", self.threads, 1, 1024)
        _require_in("context_tokens", self.context_tokens, 1024, 131_072)
        _require_in("answer_tokens", self.answer_tokens, 16, self.context_tokens // 4)
        _require_in("store_mb", self.store_mb, 0, 10_000_000)
        _require_in("port", self.port, 0, 65_535)
        _require_in("requests_per_minute", self.requests_per_minute, 0, 1_000_000)
        for origin in self.origins:
            if not re.fullmatch(r"https?://[^\s/?#@*]+", origin):
                mend = f"set {PREFIX}CORS_ORIGINS to some such as https://a.example http://localhost:3000"
                raise QuestionError(f"cors_origins has {origin!a}, which is no origin", mend)

    @property
    def uses_ours(self) -> bool:
        """Whether our own judge reads passages: it marks answers, and checks support."""
        return self.judge in {JUDGE, BOTH_JUDGES}

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models whose weights an answer needs here, each once."""
        base = (SHIPPED.base,) if self.uses_ours else ()
        llm = () if self.endpoint else (self.llm,)
        return tuple(dict.fromkeys((self.embedder, *base, *llm)))

    @property
    def endpoint(self) -> endpoint.Endpoint | None:
        """Where the language model is served, if elsewhere than in this process."""
        return endpoint.parse(self.llm)

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins whose pages may use the service, as browsers write them."""
        return tuple(self.cors_origins.lower().replace(",", " ").split())

    @property
    def keys(self) -> Path:
        """The file of the API keys."""
        return self.home / "keys.json"

    @property
    def store(self) -> Path:
        """The folder of the passages' states. In the cache: it can be made anew, and homes with the same documents share it."""
        return self.cache / "passages"

    @property
    def seeds(self) -> Path:
        """The folder of the documents."""
        return self.home / "seeds"

    @property
    def index(self) -> Path:
        """The folder of the snapshots."""
        return self.home / "index"


def _require_in(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        mend = f"set {PREFIX}{name.upper()} or --{_flag(name)} to one"
        raise QuestionError(f"{name} is {value}, and must be {least} to {most}", mend)


def _flag(name: str) -> str:
    return name.replace("_", "-")


def load(environment: Mapping[str, str], flags: Mapping[str, object]) -> Settings:
    """Settings from the environment's `RAG_*` variables; `flags` that are not None win.

    Raises QuestionError for an unknown variable (with the nearest known one) or a value that cannot be read.
    """
    kinds = {f.name: type(_default(f)) for f in fields(Settings)}
    values: dict[str, object] = {}
    for variable, text in environment.items():
        if variable.startswith(PREFIX):
            name = variable.removeprefix(PREFIX).lower()
            if name not in kinds:
                raise _unknown(variable, kinds)
            values[name] = text
    values.update({name: value for name, value in flags.items() if value is not None and name in kinds})
    return Settings(**{name: _typed(name, value, kinds[name]) for name, value in values.items()})  # type: ignore[arg-type]  # each was made the field's type


def environment(settings: Settings) -> dict[str, str]:
    """The `RAG_*` variables from which `load` makes these settings again, for a process that is to have the same."""
    values = {f.name: getattr(settings, f.name) for f in fields(settings)}
    plain = {name: value.reveal() if isinstance(value, Secret) else str(value) for name, value in values.items()}
    return {PREFIX + name.upper(): value for name, value in plain.items()}


def _default(setting: Any) -> Any:
    return setting.default_factory() if callable(setting.default_factory) else setting.default


def _unknown(variable: str, kinds: Mapping[str, type]) -> QuestionError:
    known = [PREFIX + name.upper() for name in kinds]
    near = get_close_matches(variable, known, n=1)
    return QuestionError(
        f"there is no setting {variable}", f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    )


def _typed(name: str, value: object, kind: type) -> object:
    try:
        if issubclass(kind, Secret):
            return value if isinstance(value, Secret) else Secret(str(value).strip())
        if issubclass(kind, Path):
            return Path(str(value)).expanduser().absolute()
        return int(str(value)) if kind is int else float(str(value)) if kind is float else str(value)
    except (ValueError, RuntimeError) as error:
        mend = f"set {PREFIX}{name.upper()} or --{_flag(name)} to one"
        raise QuestionError(f"{name} is {value!r}, and must be a {kind.__name__}", mend) from error
