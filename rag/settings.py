"""The settings: one frozen table, and where its values come from.

Each setting is a flag of the command line, a `RAG_*` variable and a key of `rag.toml` in the home; the first of these wins.
`home` and `llm_key` cannot be set in the file. Only the command line, the service and the engine read the settings: the stages
below them are given values.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from rag import address, processor
from rag.errors import QuestionError
from rag.weights.catalogue import EMBEDDER, JUDGE, LLM, REFUSING, SHIPPED


class Layers(str):
    """A number of layers in digits, or `auto`."""

    __slots__ = ()


PREFIX = "RAG_"
FILE = "rag.toml"
# The types of TOML that a setting of each type accepts. TOML has no paths: they are strings.
_TOML_TYPES: dict[type, tuple[type, ...]] = {
    bool: (bool,),
    int: (int,),
    float: (int, float),
    str: (str,),
    Path: (str,),
    Layers: (int, str),
}
_TYPE_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    Path: "a path",
    Layers: 'a whole number, or "auto"',
}
# Values of `judge`: the language model alone, or our own judge with the language model's second opinion.
LLM_JUDGE, BOTH_JUDGES = "llm", "both"
# Values of `unsupported`: what happens to a sentence of an answer that no passage supports.
DROP, FLAG = "drop", "flag"
# Values of `log`: always console, always JSON, or console on a terminal and JSON elsewhere.
AUTO, CONSOLE, JSON = "auto", "console", "json"
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
# Settings that `rag.toml` may not have, with how to set them: its own folder, and a secret.
_NOT_IN_FILE = {"home": "set RAG_HOME or --home", "llm_key": "set RAG_LLM_KEY"}
DEFAULT = "default"


def _setting(default: Any, about: str) -> Any:
    return field(default=default, metadata={"about": about})


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise QuestionError(
            "the working directory is gone", "change to another one, or set RAG_HOME or --home to a folder"
        ) from error


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rag"


class Secret:
    """A string that is never shown: printed, logged or as JSON it is `set` or `not set`. It has a variable and no flag."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """The string itself."""
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
    """The settings of a home. Numbers that tune quality are constants in the code, beside their measurement.

    Raises QuestionError for a value out of range.
    """

    home: Path = field(
        default_factory=_working_directory,
        metadata={"about": "folder with seeds/, index/ and prompts/ (default: the working directory)"},
    )
    cache: Path = field(
        default_factory=_cache, metadata={"about": "folder of the weights and the passage store, shared by all homes of a user"}
    )
    embedder: str = _setting(
        EMBEDDER, "embedding model: a catalogue name, a sentence-transformers folder, or a Hugging Face model"
    )
    llm: str = _setting(
        LLM,
        "language model: a catalogue name, a GGUF file, REPO:FILE on Hugging Face, or URL#MODEL of an OpenAI-compatible "
        "endpoint",
    )
    llm_key: Secret = field(
        default_factory=Secret, metadata={"about": "API key for the language model's endpoint; only as a variable"}
    )
    judge: str = _setting(
        BOTH_JUDGES,
        f"what decides whether a passage answers: `{JUDGE}`; `{LLM_JUDGE}`: the language model; `{BOTH_JUDGES}`: "
        "the small judge, then the language model; or the folder or Hugging Face name of a cross-encoder",
    )
    threads: int = _setting(processor.cores(), "CPU threads for the language model")
    passages: int = _setting(4, "maximum number of passages to judge for an answer")
    min_confidence: float = _setting(REFUSING.value, "refuse below this probability (0 to 1) that a passage answers")
    gpu_layers: Layers = field(
        default=Layers(AUTO),
        metadata={
            "about": f"layers of the language model to put on a GPU, or `{AUTO}`: all if llama.cpp sees a GPU, else none"
        },
    )
    unsupported: str = _setting(DROP, f"`{DROP}` sentences of an answer that no passage supports, or `{FLAG}` them")
    context_tokens: int = _setting(4096, "tokens of passages that the language model keeps in memory")
    store_mb: int = _setting(
        1000, "size limit of the passage store in megabytes: passages that the language model has read; 0 keeps none"
    )
    answer_tokens: int = _setting(160, "maximum number of tokens of an answer")
    host: str = _setting("127.0.0.1", "address that `rag serve` listens on")
    port: int = _setting(8000, "port that `rag serve` listens on")
    log: str = _setting(
        AUTO, f"log format of the service: `{CONSOLE}`, `{JSON}`, or `{AUTO}` ({CONSOLE} on a terminal, else {JSON})"
    )
    log_questions: bool = _setting(default=False, about="whether the log of the service contains the questions: true or false")
    cors_origins: str = _setting(
        "", "origins whose pages may call the service, such as `https://a.example http://localhost:3000`"
    )
    requests_per_minute: int = _setting(600, "rate limit of `rag serve`, in requests per key and minute; 0 for no limit")

    def __post_init__(self) -> None:
        """Check the ranges. Raises QuestionError."""
        _ = self.endpoint
        if not re.fullmatch(r"[!-~]*", self.llm_key.reveal()):
            raise QuestionError("llm_key contains a space or a non-ASCII character", f"set {PREFIX}LLM_KEY to the key alone")
        _require_in("min_confidence", self.min_confidence, 0, 1)
        if self.unsupported not in {DROP, FLAG}:
            raise QuestionError(f"unsupported is {self.unsupported!r}", f"{_set('unsupported')} to {DROP} or {FLAG}")
        if self.log not in {AUTO, CONSOLE, JSON}:
            raise QuestionError(f"log is {self.log!r}", f"{_set('log')} to {AUTO}, {CONSOLE} or {JSON}")
        _require_in("passages", self.passages, 1, 20)
        _require_in("threads", self.threads, 1, 1024)
        if not re.fullmatch(rf"{AUTO}|[0-9]{{1,4}}", self.gpu_layers):
            raise QuestionError(f"gpu_layers is {self.gpu_layers!r}", f"{_set('gpu_layers')} to {AUTO} or a number of layers")
        _require_in("context_tokens", self.context_tokens, 1024, 131_072)
        _require_in("answer_tokens", self.answer_tokens, 16, self.context_tokens // 4)
        _require_in("store_mb", self.store_mb, 0, 10_000_000)
        _require_in("port", self.port, 0, 65_535)
        _require_in("requests_per_minute", self.requests_per_minute, 0, 1_000_000)
        for origin in self.origins:
            if not re.fullmatch(r"https?://[^\s/?#@*]+", origin):
                hint = f"set {PREFIX}CORS_ORIGINS to origins such as https://a.example http://localhost:3000"
                raise QuestionError(f"cors_origins has {origin!a}, which is not an origin", hint)

    @property
    def uses_ours(self) -> bool:
        """Whether our own judge is used. It marks answers in passages and checks whether evidence supports a claim."""
        return self.judge in {JUDGE, BOTH_JUDGES}

    @property
    def most_gpu_layers(self) -> int | None:
        """How many layers of the language model a GPU computes, if there is one. None is all."""
        return None if self.gpu_layers == AUTO else int(self.gpu_layers)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models whose weights an answer needs on this machine, each once."""
        base = (SHIPPED.base,) if self.uses_ours else ()
        llm = () if self.endpoint else (self.llm,)
        return tuple(dict.fromkeys((self.embedder, *base, *llm)))

    @property
    def endpoint(self) -> address.Endpoint | None:
        """The endpoint that serves the language model; None if it runs in this process."""
        return address.parse(self.llm)

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins whose pages may call the service, as browsers write them."""
        return tuple(self.cors_origins.lower().replace(",", " ").split())

    @property
    def keys(self) -> Path:
        """The file of the API keys."""
        return self.home / "keys.json"

    @property
    def store(self) -> Path:
        """The folder of the passage store. In the cache: it can be rebuilt, and homes with the same documents share it."""
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
        raise QuestionError(f"{name} is {value}, and must be {least} to {most}", f"{_set(name)} to a value in this range")


def _set(name: str) -> str:
    return f"set {PREFIX}{name.upper()} or {flag(name)}, or {name} in {FILE},"


def flag(name: str) -> str:
    """The flag of the command line for a setting."""
    return "--" + name.replace("_", "-")


@dataclass(frozen=True, slots=True)
class Given:
    """A value that was set, and its origin: a flag (`--port`), a variable (`RAG_PORT`) or the path of the file."""

    value: object
    origin: str


def load(environment: Mapping[str, str], flags: Mapping[str, object]) -> Settings:
    """Settings from `flags` that are not None, else the environment's `RAG_*` variables, else the home's `rag.toml`.

    Raises QuestionError for an unknown variable or key (with the nearest known name), and for a value of a wrong type or out of
    range.
    """
    values = {name: given.value for name, given in _given(environment, flags).items()}
    return Settings(**cast("dict[str, Any]", values))


def of(home: str | os.PathLike[str] | None, chosen: Mapping[str, object]) -> Settings:
    """Settings of a program that uses the Python API: `chosen` by name, else as `load` finds them in the process's environment.

    Raises QuestionError for an unknown name, and as `load` does.
    """
    known = [f.name for f in fields(Settings)]
    for name in chosen:
        if name not in known:
            raise QuestionError(f"there is no setting {name}", nearest(name, known))
    return load(os.environ, {**chosen, "home": home})


def origins(environment: Mapping[str, str], flags: Mapping[str, object]) -> dict[str, str]:
    """The origin of each setting that `load` returns: `--port`, `RAG_PORT`, the path of the file, or `default`."""
    given = _given(environment, flags)
    return {f.name: given[f.name].origin if f.name in given else DEFAULT for f in fields(Settings)}


def environment(settings: Settings) -> dict[str, str]:
    """The `RAG_*` variables from which `load` returns these settings again, for a child process."""
    values = {f.name: getattr(settings, f.name) for f in fields(settings)}
    plain = {name: value.reveal() if isinstance(value, Secret) else str(value) for name, value in values.items()}
    return {PREFIX + name.upper(): value for name, value in plain.items()}


def _given(environment: Mapping[str, str], flags: Mapping[str, object]) -> dict[str, Given]:
    """All values that are set anywhere, in the types of the settings."""
    kinds = {f.name: cast("type", f.type) for f in fields(Settings)}
    nearer = {**_variables(environment, kinds), **_flags(flags, kinds)}
    home = cast("Path", nearer["home"].value if "home" in nearer else _working_directory())
    file = home / FILE
    in_file = {name: kind for name, kind in kinds.items() if name not in _NOT_IN_FILE}
    return {**{name: Given(value, str(file)) for name, value in _from_file(file, in_file).items()}, **nearer}


def _variables(environment: Mapping[str, str], kinds: Mapping[str, type]) -> dict[str, Given]:
    found = {}
    for variable, text in environment.items():
        if variable.startswith(PREFIX):
            name = variable.removeprefix(PREFIX).lower()
            if name not in kinds:
                known = [PREFIX + known.upper() for known in kinds]
                raise QuestionError(f"there is no setting {variable}", nearest(variable, known))
            found[name] = Given(_typed(name, text, kinds[name]), variable)
    return found


def _flags(flags: Mapping[str, object], kinds: Mapping[str, type]) -> dict[str, Given]:
    chosen = {name: value for name, value in flags.items() if value is not None and name in kinds}
    return {name: Given(_typed(name, value, kinds[name]), flag(name)) for name, value in chosen.items()}


def _from_file(file: Path, kinds: Mapping[str, type]) -> dict[str, object]:
    values = read_file(file, kinds, elsewhere=_NOT_IN_FILE)
    return {name: _typed(name, value, kinds[name]) for name, value in values.items()}


def read_file(file: Path, kinds: Mapping[str, type], *, elsewhere: Mapping[str, str]) -> dict[str, object]:
    """The settings in a TOML file; none if there is no file. Relative paths in it are relative to its folder.

    `kinds` are the types of the settings that the file may have, by name; `elsewhere` are those that it may not have, each with
    how to set it. Raises QuestionError for a file that cannot be read or is not valid TOML, an unknown key or a value of a
    wrong type.
    """
    hint = f"fix it, or remove {file}"
    try:
        with file.open("rb") as opened:
            values = tomllib.load(opened)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise QuestionError(f"{file} cannot be read ({error.strerror})", "make it readable, or remove it") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise QuestionError(f"{file} is not valid TOML ({error})", hint) from error
    for name, value in values.items():
        if name in elsewhere:
            raise QuestionError(f"{name} cannot be set in {file}", f"remove it there, and {elsewhere[name]}")
        if name not in kinds:
            raise QuestionError(f"there is no setting {name} in {file}", nearest(name, kinds))
        if not _is_of(value, kinds[name]):
            raise QuestionError(f"{name} in {file} is {value!r}, and must be {_TYPE_NAMES[kinds[name]]}", hint)
    return {name: _resolved(value, kinds[name], file.parent) for name, value in values.items()}


def nearest(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint for an unknown name: the nearest known one, else `otherwise`, else all known ones."""
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else otherwise or f"known are {', '.join(known)}"


def _is_of(value: object, kind: type) -> bool:
    # A bool of Python is also an int; here it is not.
    return isinstance(value, _TOML_TYPES[kind]) and (kind is bool or not isinstance(value, bool))


def _resolved(value: object, kind: type, folder: Path) -> object:
    """The value; a relative path is resolved against the folder of the file."""
    return folder / Path(str(value)).expanduser() if kind is Path else value


def _typed(name: str, value: object, kind: type) -> Any:
    if issubclass(kind, Secret):
        return value if isinstance(value, Secret) else Secret(str(value).strip())
    try:
        if issubclass(kind, Path):
            return _working_directory() / path if not (path := Path(str(value)).expanduser()).is_absolute() else path
        if kind is bool:
            return _parsed_bool(str(value))
        return int(str(value)) if kind is int else float(str(value)) if kind is float else str(value)
    except (ValueError, RuntimeError) as error:
        raise QuestionError(
            f"{name} is {value!r}, and must be {_TYPE_NAMES[kind]}", f"{_set(name)} to a valid value"
        ) from error


def _parsed_bool(text: str) -> bool:
    if text.casefold() not in _TRUE | _FALSE:
        raise ValueError(text)
    return text.casefold() in _TRUE
