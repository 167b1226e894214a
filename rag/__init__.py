"""Ask your own documents, and get answers whose every sentence opens the words it rests on.

    import rag

    with rag.open("~/documents") as docs:
        docs.rebuild()
        answer = docs.ask("Siapa Menteri Pertahanan Iran?")
        print(answer.text, answer.citations[0].text)

`docs/python.md` shows the rest. Nothing heavy is imported until a call needs it.
"""

from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.engine import Engine
    from rag.errors import RagError
    from rag.indexing.build import BuildReport
    from rag.settings import Settings
    from rag.types import Answer, Citation, Event, Passage, Sentence, Turn

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "BuildReport",
    "Citation",
    "Engine",
    "Event",
    "Passage",
    "RagError",
    "Sentence",
    "Settings",
    "Turn",
    "open",
]

# Where each public name is defined.
_HOMES = {
    "BuildReport": "rag.indexing.build",
    "Engine": "rag.engine",
    "RagError": "rag.errors",
    "Settings": "rag.settings",
    **dict.fromkeys(("Answer", "Citation", "Event", "Passage", "Sentence", "Turn"), "rag.types"),
}


def open(home: str | PathLike[str] | None = None, **settings: object) -> "Engine":  # noqa: A001 - read as `rag.open`
    """The engine over a home: the folder with `seeds/`, `index/` and `prompts/`, as `RAG_HOME`; None is the working folder.

    Settings are keyword arguments under the names of `rag.Settings` (`passages=6`, `llm="http://127.0.0.1:8080/v1"`); those not
    given come from `RAG_*` variables, then the home's `rag.toml`, then the defaults. Use it in a `with` statement, or call
    `close`. Raises QuestionError for a setting that does not exist or a value that it cannot have.
    """
    from rag import settings as configured
    from rag.engine import Engine

    return Engine(configured.of(home, settings))


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'rag' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
