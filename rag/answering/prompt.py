"""Text that holds no control token of any chat template. Pure.

In this process a document is tokenised without control tokens (`llama.py`). A server is sent one text, puts it into its model's
template and tokenises the whole, so that `<|im_end|>` in a document would end the turn, and what follows would be heard as
the system's word. The tokens of all models cannot be listed, but each is a run of signs without a space that begins with an
angle or a square bracket (`<|eot_id|>`, `</s>`, `<start_of_turn>`, `<<SYS>>`, `[/INST]`, `[|user|]`) or joins brackets
(`]~b]`, `>>ANSWER<<`). A space after such a bracket leaves none of them whole, and text that reads the same.

The texts that are put to the model: files of `prompts/`, each with declared variables. Fills them; knows no model.

A home's own `prompts/` is taken where it exists, else the copy in the installed package, or that of the checkout it runs from.
"""

import hashlib
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from rag.errors import PromptError

# `[12]` is a note's number far more often than a token, and "[ ] done" is none: they stay.
_OPENING = re.compile(r"<(?!\s)|\[(?![\d\s\]])|\](?=[~!<])")


def neutralise(text: str) -> str:
    """The text with a space after each sign that may begin a control token. Twice is as once."""
    return _OPENING.sub(lambda sign: sign[0] + " ", text)


_VARIABLE = re.compile(r"\{(\w+)\}")
_DECLARED = {
    "system": frozenset[str](),
    "passage": frozenset({"passage"}),
    "judge": frozenset({"question"}),
    "answer": frozenset({"question", "instruction"}),
    "follow_up": frozenset({"question", "language"}),
}
# The phrases for languages that have no file: they ask for "the language of the question", and refuse in English.
_FALLBACK = "other"
_PHRASES = ("name", "instruction", "none", "refusal", "dropped", "flagged", "pointing", "linking", "cut")
_HINT = "restore it from the release, or remove your `prompts` folder to use the packaged one"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a filled template. What is not `trusted` comes from a document or a person and is only ever plain text."""

    text: str
    trusted: bool


@dataclass(frozen=True, slots=True)
class Template:
    """A text with `{variables}`. Values are put in once: braces in a value stay what they are."""

    name: str
    text: str

    def fill(self, **values: str) -> tuple[Piece, ...]:
        """The text in pieces, the values untrusted. Raises PromptError for a missing or an unknown variable."""
        if set(values) != self.variables():
            raise PromptError(f"prompt {self.name} has {sorted(self.variables())}, not {sorted(values)}", _HINT)
        parts = _VARIABLE.split(self.text)
        pieces = (Piece(values[part], trusted=False) if i % 2 else Piece(part, trusted=True) for i, part in enumerate(parts))
        return tuple(piece for piece in pieces if piece.text)

    def variables(self) -> frozenset[str]:
        """The names in braces."""
        return frozenset(_VARIABLE.findall(self.text))


@dataclass(frozen=True, slots=True)
class Phrases:
    """What depends on the language of the question.

    `instruction` asks for that language right after the question, in that language. `refusal` is what the person reads where
    nothing answers; the judge decides that, and the model is not asked: of 75 answered questions of idkmrc it refused 8, and of
    75 one-word edits 5. `dropped` and `flagged` tell them that sentences without support were left out, or are shown with a
    mark; `cut` that the model was stopped before it had ended, in English where a home's own file has no such line. `none` is
    what the plain way has the model write (`rag eval answers`). `pointing` are words that make a question lean on what was said
    before it, as "he" does, with spaces between (`-nya` is an ending); `linking` are those that do where a question begins with
    them, as "and" and "what about", with commas between.
    """

    name: str
    instruction: str
    none: str
    refusal: str
    dropped: str
    flagged: str
    pointing: str
    linking: str
    cut: str = "The answer was cut off before its end."


@dataclass(frozen=True, slots=True)
class Prompts:
    """All templates and phrases, and the SHA-256 that names exactly these."""

    system: Template
    passage: Template
    judge: Template
    answer: Template
    follow_up: Template
    languages: dict[str, Phrases]
    digest: str

    def answering(self, question: str, further: Sequence[str], instruction: str) -> tuple[Piece, ...]:
        """What follows the first passage of an answer: the `further` passages, then the question."""
        read = [piece for text in further for piece in (*self.passage.fill(passage=text), Piece("\n\n", trusted=True))]
        return (*read, *self.answer.fill(question=question, instruction=instruction))

    def phrases(self, language: str) -> Phrases:
        """The phrases of the language; where it has no file, those that name none."""
        return self.languages.get(language, self.languages[_FALLBACK])


def load(home: Path) -> Prompts:
    """The prompts of the home or, without any there, of the package or checkout. Raises PromptError."""
    folder = _folder(home)
    digest = hashlib.sha256()
    templates = {name: _template(folder, name, digest) for name in _DECLARED}
    try:
        names = sorted(path.name for path in (folder / "language").iterdir() if path.name.endswith(".toml"))
        languages = {name.removesuffix(".toml"): _phrases(folder / "language" / name, digest) for name in names}
    except OSError as error:
        raise PromptError(f"the prompts' language files cannot be read ({error})", _HINT) from error
    if _FALLBACK not in languages:
        raise PromptError(f"prompts/language/{_FALLBACK}.toml is missing", _HINT)
    return Prompts(**templates, languages=languages, digest=digest.hexdigest())


def _folder(home: Path) -> Traversable:
    places = (home / "prompts", files("rag") / "prompts", Path(__file__).parents[2] / "prompts")
    for place in places:
        if place.is_dir():
            return place
    raise PromptError(f"there is no folder prompts in {home}", "run from the project's folder, or set RAG_HOME to it")


def _read(path: Traversable, digest: "hashlib._Hash") -> str:
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"prompt {path.name} cannot be read ({error})", _HINT) from error
    digest.update(path.name.encode() + b"\0" + raw + b"\0")
    return text.rstrip("\n")


def _template(folder: Traversable, name: str, digest: "hashlib._Hash") -> Template:
    template = Template(name, _read(folder / f"{name}.txt", digest))
    if template.variables() != _DECLARED[name]:
        expected = ", ".join(f"{{{v}}}" for v in sorted(_DECLARED[name])) or "no variables"
        raise PromptError(f"prompts/{name}.txt must have {expected}", _HINT)
    return template


def _phrases(path: Traversable, digest: "hashlib._Hash") -> Phrases:
    try:
        return Phrases(**tomllib.loads(_read(path, digest)))
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise PromptError(f"prompts/language/{path.name} is not {', '.join(_PHRASES)} ({error})", _HINT) from error
