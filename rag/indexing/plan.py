"""What is to become of each document: the seeds against what the index holds. Reads only files written since."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rag.errors import SeedError
from rag.indexing import unread
from rag.indexing.embedded.segment import Listed
from rag.indexing.stamps import Stamps
from rag.indexing.unread import Unread
from rag.ingestion import seeds


@dataclass(slots=True)
class Plan:
    """What is to become of each path.

    It is `unchanged`; or `kept` as it was, because its file cannot be read now; or `fresh`, under the digest of its bytes.
    `unread` are those that cannot be read.
    """

    unchanged: dict[str, Listed] = field(default_factory=dict)
    kept: dict[str, Listed] = field(default_factory=dict)
    fresh: dict[str, str] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)

    def stays(self) -> set[int]:
        """Numbers of the documents that stay as they are."""
        return {listed.number for listed in (*self.unchanged.values(), *self.kept.values())}


def make(folder: Path, stamps: Stamps, before: Mapping[str, Listed]) -> Plan:
    """Compare the seeds in `folder` with the documents `before`, by path. Raises SeedError where the folder cannot be read."""
    plan = Plan()
    found = seeds.find(folder)
    for closed in found.closed:
        plan.unread.append(unread.of(closed.path, closed.error, is_folder=True))
        plan.kept |= {path: listed for path, listed in before.items() if path.startswith(closed.path + "/")}
    for path in found.paths:
        try:
            sha256 = _digest(folder, path, stamps)
        except SeedError as error:
            plan.unread.append(unread.of(path, error))
            if path in before:
                plan.kept[path] = before[path]
            continue
        if path in before and before[path].sha256 == sha256:
            plan.unchanged[path] = before[path]
        else:
            plan.fresh[path] = sha256
    stamps.save()
    return plan


def _digest(folder: Path, path: str, stamps: Stamps) -> str:
    """SHA-256 of the seed's bytes, without reading them where they have not been written since."""
    stamp = seeds.stamp(folder, path)
    known = stamps.digest(path, stamp)
    if known is None:
        known = seeds.read(folder, path).sha256
        stamps.learn(path, stamp, known)
    return known
