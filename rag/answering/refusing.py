"""What the model was told to write when the text does not answer is never shown. Pure."""

import re
from collections.abc import Iterator

_AROUND = re.compile(r"^\W+|\W+$")


def without_refusal(pieces: Iterator[str], none: str) -> Iterator[str]:
    """The pieces, or nothing at all where the model writes `none`, as it was told to when the text does not answer."""
    held = ""
    for piece in pieces:
        held += piece
        if not _may_be_refusal(held, none):
            yield held
            break
    else:
        if held and not is_refusal(held, none):
            yield held
        return
    yield from pieces


def _plain(text: str) -> str:
    return _AROUND.sub("", text).casefold()


def _may_be_refusal(text: str, none: str) -> bool:
    """Whether the text so far is the refusal or the beginning of it."""
    return _plain(none).startswith(_plain(text)) or is_refusal(text, none)


def is_refusal(text: str, none: str) -> bool:
    """Whether the text is `none` and nothing else, but for signs around it and its case."""
    return _plain(text) == _plain(none)
