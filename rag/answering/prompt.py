"""The texts put to the language model, and all that is known of a language: the files of `prompts/`. Runs no model.

    prompts/NAME.txt                a template with declared variables
    prompts/language/CODE.toml      the phrases and words of one language (`Phrases`), by its ISO 639 code
    prompts/language/other.toml     the phrases for languages without a file

To add a language, translate `en.toml`. Its abbreviations and stems are in `rag/text.py`; ARCHITECTURE.md lists the other
places. A home's own `prompts/` folder is used if there is one, else the copy in the installed package, else that of
the checkout.
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from rag.errors import PromptError

_VARIABLE = re.compile(r"\{(\w+)\}")
_DECLARED = {
    "system": frozenset[str](),
    "passage": frozenset({"passage"}),
    "judge": frozenset({"question"}),
    "answer": frozenset({"question", "instruction"}),
    "follow_up": frozenset({"question", "language"}),
}
# The file for languages that have none: it asks for "the language of the question", and refuses in English.
_FALLBACK = "other"
# Keys of a language's file that came later: the folders of some homes lack them.
_WORDS = ("joining", "listing", "nouns_capitalised")
_HINT = "restore it from the release, or remove your `prompts` folder to use the packaged one"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a filled template. A piece that is not `trusted` comes from a document or a person, and stays plain text."""

    text: str
    trusted: bool


@dataclass(frozen=True, slots=True)
class Template:
    """A text with `{variables}`. Values are inserted once: braces in a value stay as they are."""

    name: str
    text: str

    def fill(self, **values: str) -> tuple[Piece, ...]:
        """The text in pieces, the values untrusted. Raises PromptError for a missing or unknown variable."""
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
    """The phrases and words of one language: the keys of its file.

    Put to the model:
    - `name`: what the language is called, in that language.
    - `instruction`: asks for an answer in this language, right after the question.
    - `none`: what the plain way of `rag eval answers` has the model write if nothing answers.

    Shown to people:
    - `refusal`: shown if nothing answers. The judge decides that, not the model: of 75 answerable questions of idkmrc the model
      refused 8, and of 75 one-word edits that nothing answers only 5.
    - `dropped`, `flagged`: unsupported sentences were left out, or are shown with a mark.
    - `cut`: the model was stopped before the end of its answer. English in files that lack it.

    Words by which a question is understood, in lower case:
    - `pointing`: words that refer to what was said before, as "he" does, separated by spaces; `-nya` is an ending.
    - `linking`: what a question that continues a conversation begins with, such as "what about", separated by commas.
    - `joining`: words that join or compare two things, such as "and", separated by spaces.
    - `listing`: how a question asks for a list, such as "which … are", separated by commas; `…` stands for any words.
    - `nouns_capitalised`: every noun is written with a capital letter, so a capital does not show a name.
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
    joining: str = ""
    listing: str = ""
    nouns_capitalised: bool = False

    def is_refusal(self, answer: str) -> bool:
        """Whether an earlier answer, as a client sends it back, was this language's refusal. Sources may follow the wording."""
        return answer.strip().startswith(self.refusal)


_KEYS: dict[str, type] = {field.name: bool if field.name == "nouns_capitalised" else str for field in fields(Phrases)}


@dataclass(frozen=True, slots=True)
class Prompts:
    """All templates and phrases, and the SHA-256 of the files that they were read from."""

    system: Template
    passage: Template
    judge: Template
    answer: Template
    follow_up: Template
    languages: dict[str, Phrases]
    digest: str

    def answering(self, question: str, further: Sequence[str], instruction: str) -> tuple[Piece, ...]:
        """The prompt after the first passage of an answer: the `further` passages, then the question."""
        read = [piece for text in further for piece in (*self.passage.fill(passage=text), Piece("\n\n", trusted=True))]
        return (*read, *self.answer.fill(question=question, instruction=instruction))

    def phrases(self, language: str) -> Phrases:
        """The phrases of the language with this code, else those of `other.toml`."""
        return self.languages.get(language, self.languages[_FALLBACK])


def load(home: Path) -> Prompts:
    """The prompts of the home, else those of the package or checkout. Raises PromptError."""
    places = (files("rag") / "prompts", Path(__file__).parents[2] / "prompts")
    packaged = next((place for place in places if place.is_dir()), None)
    folder = home / "prompts" if (home / "prompts").is_dir() else packaged
    if folder is None:
        raise PromptError(f"there is no folder prompts in {home}", "run from the project's folder, or set RAG_HOME to it")
    digest = hashlib.sha256()
    templates = {name: _template(folder, name, digest) for name in _DECLARED}
    tables = _tables(folder, digest)
    if _FALLBACK not in tables:
        raise PromptError(f"prompts/language/{_FALLBACK}.toml is missing", _HINT)
    # Words that a home's own files lack are taken from the package. The digest leaves those out: a receipt names the version
    # too.
    shipped = _tables(packaged, hashlib.sha256()) if packaged and packaged != folder else tables
    return Prompts(**templates, languages=_languages(tables, shipped), digest=digest.hexdigest())


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


def _tables(folder: Traversable, digest: "hashlib._Hash") -> dict[str, dict[str, Any]]:
    """The checked content of each language's file, by code."""
    try:
        names = sorted(path.name for path in (folder / "language").iterdir() if path.name.endswith(".toml"))
    except OSError as error:
        raise PromptError(f"the prompts' language files cannot be read ({error})", _HINT) from error
    return {name.removesuffix(".toml"): _table(folder / "language" / name, digest) for name in names}


def _table(path: Traversable, digest: "hashlib._Hash") -> dict[str, Any]:
    """The content of a language's file, which has all phrases, or none of them and words. Raises PromptError."""
    try:
        table = tomllib.loads(_read(path, digest))
        if not table or not table.keys() <= set(_WORDS) or path.name == f"{_FALLBACK}.toml":
            Phrases(**table)
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise PromptError(f"prompts/language/{path.name} is not {', '.join(_KEYS)} ({error})", _HINT) from error
    if wrong := [key for key, value in table.items() if type(value) is not _KEYS[key]]:
        raise PromptError(f"prompts/language/{path.name}: {wrong[0]} is not a {_KEYS[wrong[0]].__name__}", _HINT)
    return table


def _languages(tables: Mapping[str, dict[str, Any]], shipped: Mapping[str, dict[str, Any]]) -> dict[str, Phrases]:
    """`Phrases` by code. Missing phrases are those of `other.toml`, missing words those of the package's file."""
    fallback = {key: value for key, value in tables[_FALLBACK].items() if key not in _WORDS}
    languages = {}
    for code in sorted({*tables, *shipped}):
        own = tables.get(code, {})
        phrases = {key: value for key, value in own.items() if key not in _WORDS}
        words = {key: value for key, value in {**shipped.get(code, {}), **own}.items() if key in _WORDS}
        languages[code] = Phrases(**(phrases or fallback), **words)
    return languages


# `[12]` is the number of a note far more often than a token, and "[ ] done" is none: they stay.
_OPENING = re.compile(r"<(?!\s)|\[(?![\d\s\]])|\](?=[~!<])")


def neutralise(text: str) -> str:
    """The text with a space after each sign that may begin a control token of a chat template. Idempotent.

    In this process a document is tokenised without control tokens (`local/model.py`). An endpoint is sent one text, which it
    puts into its model's template and tokenises as a whole: there `<|im_end|>` in a document would end the turn, and what
    follows would be read as the system's words. The tokens of all models cannot be listed. But each is a run of characters
    without a space that begins with an angle or a square bracket (`<|eot_id|>`, `</s>`, `<start_of_turn>`, `<<SYS>>`,
    `[/INST]`, `[|user|]`) or joins brackets (`]~b]`, `>>ANSWER<<`). A space after such a bracket breaks all of them, and the
    text reads the same.
    """
    return _OPENING.sub(lambda sign: sign[0] + " ", text)
