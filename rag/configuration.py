"""`rag.toml`, and names that are nearly right. Knows the names and types of the settings from those who ask, and no more."""

import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from rag.errors import QuestionError

FILE = "rag.toml"
# What a value of the file may be, for a setting of each type. TOML has no paths: they are texts.
_TAKEN: dict[type, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float), str: (str,), Path: (str,)}
_CALLED = {bool: "true or false", int: "a whole number", float: "a number", str: "a text in quotes", Path: "a path in quotes"}


def read(file: Path, kinds: Mapping[str, type], *, elsewhere: Mapping[str, str]) -> dict[str, object]:
    """The settings that the file gives; none where there is no file. Paths in it are relative to its folder.

    `elsewhere` are settings that no file gives, each with what sets it. Raises QuestionError for a file that cannot be read or
    is no TOML, a key that is no setting, or a value of another type.
    """
    mend = f"mend it, or remove {file}"
    try:
        with file.open("rb") as opened:
            values = tomllib.load(opened)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise QuestionError(f"{file} cannot be read ({error.strerror})", "give yourself the right, or remove it") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise QuestionError(f"{file} is no TOML ({error})", mend) from error
    for name, value in values.items():
        if name in elsewhere:
            raise QuestionError(f"{name} cannot be set in {file}", f"remove it there, and {elsewhere[name]}")
        if name not in kinds:
            raise QuestionError(f"there is no setting {name} in {file}", nearest(name, kinds))
        if not _is_of(value, kinds[name]):
            raise QuestionError(f"{name} in {file} is {value!r}, and must be {_CALLED[kinds[name]]}", mend)
    return {name: _placed(value, kinds[name], file.parent) for name, value in values.items()}


def nearest(name: str, known: Iterable[str]) -> str:
    """What mends a name that is not known: the nearest that is, else all."""
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


def _is_of(value: object, kind: type) -> bool:
    # In Python true is a number; here it is none.
    return isinstance(value, _TAKEN[kind]) and (kind is bool or not isinstance(value, bool))


def _placed(value: object, kind: type, folder: Path) -> object:
    """A path as seen from the file's folder, where one begins with neither `/` nor `~`."""
    return folder / Path(str(value)).expanduser() if kind is Path else value
