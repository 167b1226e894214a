"""The processor's threads: how many this process may use, and how native libraries let idle ones wait."""

import math
import os
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
# How OpenMP's threads wait for each other after each of the model's steps, some hundreds a token. GNU's runtime (libgomp) turns
# 300,000 rounds before it lets a thread sleep; where other programs want the cores, that time is what the others need to get
# there. Beside a busy loop on each of two cores, seconds quiet and busy (benchmarks/RESULTS.md): `rag ask` 6.9 and 28.6, with
# 10,000 rounds 7.0 and 19.6; writing an answer 1.7 and 9.5, with 10,000 rounds 1.5 to 1.7 and 4.5. Without any round
# (`passive`) it is no better beside the loops, and the quiet machine is slower.
_BRIEFLY = {"GOMP_SPINCOUNT": "10000", "OMP_WAIT_POLICY": "passive"}
# Variables by which a user chooses that; the last is of LLVM's and Intel's runtime, which knows no rounds.
_CHOOSE = {*_BRIEFLY, "KMP_BLOCKTIME"}


def cores() -> int:
    """How many threads can run at once: the cores of the machine, less what affinity or a container's quota takes away."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = _quotas(_OWN_CGROUPS, _CGROUPS)
    # Of 1.5 cores two threads get all, and one gets two thirds.
    return max(1, min([allowed, *map(math.ceil, quotas)]))


def _quotas(own: Path, root: Path) -> Iterator[float]:
    """The cores that control groups of Linux grant, in both versions. A group's limit holds for all groups below it."""
    with suppress(OSError):
        for line in own.read_text("utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                for folder in _upwards(root, path):
                    with suppress(OSError, ValueError):  # "max" where there is no limit
                        quota, period = map(int, (folder / "cpu.max").read_text("ascii").split())
                        yield quota / period
            elif "cpu" in controllers.split(","):
                for folder in _upwards(root / "cpu", path):
                    with suppress(OSError, ValueError):
                        quota, period = (
                            int((folder / f"cpu.cfs_{name}_us").read_text("ascii")) for name in ("quota", "period")
                        )
                        if quota > 0:  # -1 where there is no limit
                            yield quota / period


def _upwards(root: Path, path: str) -> list[Path]:
    """The folders of a group and of those above it. In a container it may be one of the host: then only the root exists."""
    group = root / path.lstrip("/")
    return [group, *(parent for parent in group.parents if parent.is_relative_to(root))]


def wait_briefly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Have threads of OpenMP sleep when they have waited for a moment, unless the user has set how they wait.

    A runtime reads it when its library is loaded, so call this before `llama_cpp` is imported; and before threads are started,
    for C code in one of them may be reading the environment. Processes that are started inherit it.
    """
    if _CHOOSE.isdisjoint(environment):
        environment.update(_BRIEFLY)
