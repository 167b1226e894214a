"""Kill `rag index` with the real embedder at random moments, and look at what is left.

    python benchmarks/kill_index.py [ROUNDS]

Each round changes the seeds, starts `rag index`, and kills it (SIGKILL) after a random part of its usual time. The index must
then be whole and serve the old state or the new; one more `rag index` must bring it in line and leave nothing behind.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rag import settings
from rag.doctor import examine
from rag.indexing import build_cache
from rag.indexing.embedded import snapshot
from rag.indexing.embedded.embedded_index import EmbeddedIndex
from rag.indexing.embedded.snapshot import Snapshot

_ROUNDS = 100
_DOCUMENTS = 24


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else _ROUNDS
    home = Path(tempfile.mkdtemp(prefix="rag-kill-"))
    _write(home, -1)
    _index(home)
    _write(home, 0)
    begun = time.perf_counter()
    _index(home)
    usual = time.perf_counter() - begun
    print(f"an undisturbed build takes {usual:.1f} s", flush=True)
    outcomes: Counter[str] = Counter()
    for number in range(1, rounds + 1):
        outcomes.update(_round(home, number, usual))
        print(f"round {number}: {dict(outcomes)}", flush=True)
    shutil.rmtree(home)
    bad = {outcome: count for outcome, count in outcomes.items() if outcome.startswith("BAD")}
    print(f"{rounds} rounds; {bad or 'nothing was lost'}")
    return 1 if bad else 0


def _round(home: Path, number: int, usual: float) -> list[str]:
    """The outcome, and each defect as a line that begins with BAD."""
    old = _texts(home)
    new = _write(home, number)
    with subprocess.Popen(_command(), env=_environment(home), stderr=subprocess.DEVNULL) as process:
        time.sleep(random.uniform(0, 1.1 * usual))
        process.kill()
    seen = ["killed" if process.returncode else "had ended"]
    root, left = home / "index", _texts(home)
    seen.append("left the old state" if left == old else "left the new state" if left == new else "BAD: left another state")
    seen += ["left vectors to go on with"] * bool(build_cache.left(root))
    seen += [f"BAD: {problem}" for problem in snapshot.verify(root)]
    _index(home)
    seen += ["BAD: not in line after the next build"] * (_texts(home) != new)
    seen += [f"BAD: {problem}" for problem in snapshot.verify(root)]
    seen += ["BAD: something is left behind"] * bool(EmbeddedIndex(root).interrupted() or build_cache.left(root))
    findings = examine(settings.load(_environment(home), {}))
    return seen + [f"BAD: {f.state}" for f in findings if f.subject == "index" and not f.well]


def _write(home: Path, number: int) -> dict[str, str]:
    """Seeds of which each round keeps most, changes some and drops some."""
    wanted = {
        f"{n}.txt": " ".join(
            f"Kalimat {i} dari dokumen {n}, putaran {number if n % 4 == 0 else number // 6}." for i in range(40)
        )
        for n in range(_DOCUMENTS)
        if (n + number) % 8
    }
    shutil.rmtree(home / "seeds", ignore_errors=True)
    (home / "seeds").mkdir(parents=True)
    for path, text in wanted.items():
        (home / "seeds" / path).write_text(text, encoding="utf-8")
    return wanted


def _texts(home: Path) -> dict[str, str]:
    opened = Snapshot.open(home / "index")
    found = {listed.path: segment.with_text(listed).text for segment in opened.segments for listed in segment.listed}
    opened.close()
    return found


def _command() -> list[str]:
    return [sys.executable, "-m", "rag", "index"]


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "RAG_HOME": str(home)}


def _index(home: Path) -> None:
    subprocess.run(_command(), env=_environment(home), stderr=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    sys.exit(main())
