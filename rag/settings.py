"""The settings: one frozen table. Each field is a `RAG_*` environment variable and a flag of the command line."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rag.errors import QuestionError
from rag.weights.catalogue import EMBEDDER, JUDGE, LLM, SHIPPED

PREFIX = "RAG_"
# The judge that is the language model itself.
LLM_JUDGE = "llm"
# What becomes of sentences that nothing supports.
DROP, FLAG = "drop", "flag"


def _setting(default: Any, about: str) -> Any:
    return field(default=default, metadata={"about": about})


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a user may choose. Numbers that tune quality are constants in the code, beside their measurement."""

    home: Path = field(
        default_factory=Path.cwd, metadata={"about": "folder with seeds/, index/ and prompts/ (else the working one)"}
    )
    cache: Path = field(default_factory=_cache, metadata={"about": "folder of the weights, shared by all homes of a user"})
    embedder: str = _setting(EMBEDDER, "a catalogue name, a sentence-transformers folder, or a model of a hub")
    llm: str = _setting(LLM, "a catalogue name, a GGUF file, or repo:file of a hub")
    judge: str = _setting(
        LLM_JUDGE, f"`llm` for the language model's yes or no, {JUDGE}, or a cross-encoder's folder or hub name"
    )
    threads: int = _setting(os.cpu_count() or 1, "processor threads for the language model")
    passages: int = _setting(4, "passages to judge for an answer, at most")
    min_confidence: float = _setting(0.35, "refuse to answer below this probability that a passage answers, 0 to 1")
    unsupported: str = _setting(DROP, f"`{DROP}` sentences of an answer that no passage supports, or `{FLAG}` them")
    context_tokens: int = _setting(4096, "tokens of passages the language model keeps in memory")
    answer_tokens: int = _setting(160, "tokens of an answer, at most")
    host: str = _setting("127.0.0.1", "address that `rag serve` listens on")
    port: int = _setting(8000, "port that `rag serve` listens on")

    def __post_init__(self) -> None:
        """Raises QuestionError for a value without meaning."""
        _require_in("min_confidence", self.min_confidence, 0, 1)
        if self.unsupported not in {DROP, FLAG}:
            mend = f"set {PREFIX}UNSUPPORTED or --unsupported to {DROP} or {FLAG}"
            raise QuestionError(f"unsupported is {self.unsupported!r}", mend)
        _require_in("passages", self.passages, 1, 20)
        _require_in("threads", self.threads, 1, 1024)
        _require_in("context_tokens", self.context_tokens, 1024, 131_072)
        _require_in("answer_tokens", self.answer_tokens, 16, self.context_tokens // 4)
        _require_in("port", self.port, 0, 65_535)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models that an answer needs, each once."""
        base = (SHIPPED.base,) if self.judge == SHIPPED.name else ()
        return tuple(dict.fromkeys((self.embedder, *base, self.llm)))

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
    return {PREFIX + f.name.upper(): str(getattr(settings, f.name)) for f in fields(settings)}


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
        if issubclass(kind, Path):
            return Path(str(value)).expanduser().absolute()
        return int(str(value)) if kind is int else float(str(value)) if kind is float else str(value)
    except (ValueError, RuntimeError) as error:
        mend = f"set {PREFIX}{name.upper()} or --{_flag(name)} to one"
        raise QuestionError(f"{name} is {value!r}, and must be a {kind.__name__}", mend) from error
