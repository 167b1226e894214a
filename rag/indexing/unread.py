"""The files of the seeds that the last build could not read, kept beside the snapshots until the next one looks again."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from rag.errors import SeedError
from rag.files import write_atomically


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that was left out, or a folder: its path in the seeds, the name of the error, and the line that it is."""

    path: str
    kind: str
    detail: str
    is_folder: bool = False


def of(path: str, error: SeedError, *, is_folder: bool = False) -> Unread:
    """What the error says of the path."""
    return Unread(path, type(error).__name__, str(error), is_folder)


def write(root: Path, found: Sequence[Unread]) -> None:
    """Note these in place of what was noted before. Raises StorageError."""
    if list(found) != read(root):
        # Names that are no UTF-8 hold surrogates, which only escapes can write.
        write_atomically(_file(root), json.dumps([asdict(each) for each in found]))


def read(root: Path) -> list[Unread]:
    """What the last build noted; nothing where there was none, or what it noted is damaged: the next one mends that."""
    with suppress(OSError, ValueError, TypeError, RecursionError):
        return [Unread(**each) for each in json.loads(_file(root).read_text("utf-8"))]
    return []


def _file(root: Path) -> Path:
    return root / "unread.json"
