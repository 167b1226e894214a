"""How much longer does an answer take beside busy programs, and which way of waiting for other threads is best?

usage: .venv/bin/python benchmarks/busy_neighbour.py [ROUNDS] [--loops N] [--only WAY ...] [--parts] [--ahead] [--pool FOLDER]

The neighbours are programs with a busy loop each, one on each core (`--loops N`: on the first N). Every way is measured on
the quiet machine and beside them, one after the other, ROUNDS times (5), so that other work disturbs all alike. Measured is
`rag ask`, a process of its own from start to end, over `seeds/` in a new home with nothing stored; with `--parts` embedding,
reading and writing, in a process that has the models open. Prints for each way the median seconds, and medians of two ratios,
each of measurements of the same round: busy to quiet, and this way to what is the default (`as set`).

`as set` is what the program sets by itself. `--ahead` puts all of them before all other work of the machine, where that is
not quiet (root, on a Linux with autogroups). `--pool FOLDER` has llama.cpp's libraries built with GGML_OPENMP=OFF, and adds the
ways of ggml's own threads, which poll so much while they wait for a next graph.
"""

import argparse
import ctypes
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
QUESTION = "Siapa Menteri Pertahanan Iran?"
BASE = "as set"
CORES = sorted(os.sched_getaffinity(0))
# The weight of a session among the others, in the steps of `nice`.
AUTOGROUP, FIRST = Path("/proc/self/autogroup"), "-15"
# A loop on a core, in a session of its own, as other programs are: Linux shares cores among sessions first. It ends with us.
NEIGHBOUR = """
import os, sys
if sys.argv[1]:
    open("/proc/self/autogroup", "w").write(sys.argv[1])
os.sched_setaffinity(0, {int(sys.argv[2])})
while os.getppid() == int(sys.argv[3]):
    sum(range(100_000))
"""


@dataclass(frozen=True, slots=True)
class Way:
    """The changed settings: variables of the environment, options of OpenVINO, the polling of a pool of ggml's own."""

    environment: dict[str, str] = field(default_factory=dict)
    openvino: dict[str, Any] = field(default_factory=dict)
    poll: int | None = None

    @property
    def is_of_parts(self) -> bool:
        """Whether no command can be given it."""
        return bool(self.openvino) or self.poll is not None


def spinning(count: str) -> Way:
    return Way({"GOMP_SPINCOUNT": count})


WAYS = {
    BASE: Way(),
    "libgomp's default": spinning("300000"),
    "active": Way({"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "30000000000"}),
    "passive": spinning("0"),
    "spin 100": spinning("100"),
    "spin 1000": spinning("1000"),
    "spin 10000": spinning("10000"),
    "spin 100000": spinning("100000"),
    "1 thread": Way({"RAG_THREADS": "1"}),
    "openvino unpinned": Way(openvino={"ENABLE_CPU_PINNING": False}),
    "openvino 1 thread": Way(openvino={"INFERENCE_NUM_THREADS": 1}),
    "openvino any core": Way(openvino={"SCHEDULING_CORE_TYPE": "ANY_CORE", "ENABLE_HYPER_THREADING": True}),
    "openvino 1 stream": Way(openvino={"NUM_STREAMS": 1}),
}


@contextmanager
def neighbours(cores: list[int], nice: str) -> Iterator[None]:
    commands = [[sys.executable, "-c", NEIGHBOUR, nice, str(core), str(os.getpid())] for core in cores]
    processes = [subprocess.Popen(command, start_new_session=True) for command in commands]
    time.sleep(0.5)
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
        time.sleep(0.5)


def asked(way: Way, home: Path) -> dict[str, float]:
    begun = time.perf_counter()
    run([sys.executable, "-m", "rag", "ask", QUESTION], way, home)
    return {"ask": time.perf_counter() - begun}


def parts(way: Way, home: Path) -> dict[str, float]:
    own = json.dumps({"openvino": way.openvino, "poll": way.poll})
    return dict(json.loads(run([sys.executable, __file__, "--one", own], way, home)))


def run(command: list[str], way: Way, home: Path) -> str:
    given = {"PYTHONPATH": str(ROOT), "RAG_HOME": str(home), "RAG_STORE_MB": "0", **way.environment}
    return subprocess.run(command, env={**os.environ, **given}, check=True, stdout=subprocess.PIPE, text=True).stdout


def measured_here(openvino: dict[str, Any], poll: int | None) -> dict[str, float]:
    """Seconds of each part, in this process, with everything open."""
    import rag
    from rag.embedding.graph import Arithmetic

    known = Arithmetic.options
    Arithmetic.options = lambda self: {**known(self), **openvino}  # type: ignore[method-assign]
    with rag.open() as docs:
        text = next(docs.settings.seeds.glob("*.txt")).read_text(encoding="utf-8")
        passages = [text[start : start + 500] for start in range(0, 2000, 500)]
        embedder, reader = docs.models.embedder, docs.models.reader
        if poll is not None:
            attach_pool(reader, docs.settings.threads, poll)
        instruction = docs.models.prompts.phrases("id").instruction
        embedder.embed_queries([QUESTION])
        embedder.embed_passages(passages * 16)
        return {
            "embed a question, 50 times": timed(lambda: [embedder.embed_queries([QUESTION]) for _ in range(50)]),
            "embed 128 passages": timed(lambda: embedder.embed_passages(passages * 32)),
            "read 4 passages": timed(lambda: [reader.judge(QUESTION, passage) for passage in passages]),
            "write an answer": timed(lambda: list(reader.answer(QUESTION, passages[:1], instruction))),
        }


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


class PoolParameters(ctypes.Structure):
    """ggml_threadpool_params of ggml.h."""

    _fields_ = (
        ("cpumask", ctypes.c_bool * 512),
        ("n_threads", ctypes.c_int),
        ("prio", ctypes.c_int),
        ("poll", ctypes.c_uint32),
        ("strict_cpu", ctypes.c_bool),
        ("paused", ctypes.c_bool),
    )


def attach_pool(reader: Any, threads: int, poll: int) -> None:
    """Threads that stay, in place of some that are started for each graph."""
    folder = Path(os.environ["LLAMA_CPP_LIB_PATH"])
    ggml, llama = ctypes.CDLL(str(folder / "libggml-cpu.so")), ctypes.CDLL(str(folder / "libllama.so"))
    made = PoolParameters(n_threads=threads, poll=poll)
    ggml.ggml_threadpool_new.restype = ctypes.c_void_p
    pool = ctypes.c_void_p(ggml.ggml_threadpool_new(ctypes.byref(made)))
    llama.llama_attach_threadpool(ctypes.c_void_p(reader._context._context), pool, pool)  # noqa: SLF001 - the product has no use for it


def home_of_seeds(folder: Path) -> Path:
    shutil.copytree(ROOT / "seeds", folder / "seeds")
    run([sys.executable, "-m", "rag", "index"], Way(), folder)
    return folder


def report(seen: dict[tuple[str, str, bool], list[float]], ways: list[str]) -> None:
    for part in dict.fromkeys(part for _, part, _ in seen):
        print(f"\n{part}\n\n| | quiet, s | busy, s | busy / quiet | quiet, to `{BASE}` | busy, to `{BASE}` |")
        print("|---|---|---|---|---|---|")
        for way in ways:
            quiet, busy = seen[way, part, False], seen[way, part, True]
            against = [ratio(seen[way, part, side], seen[BASE, part, side]) for side in (False, True)]
            figures = [f"{statistics.median(quiet):.2f}", f"{statistics.median(busy):.2f}", ratio(busy, quiet), *against]
            print(f"| {way} | {' | '.join(figures)} |")


def ratio(these: list[float], those: list[float]) -> str:
    """The median, and the least and most."""
    ratios = sorted(one / other for one, other in zip(these, those, strict=True))
    return f"{statistics.median(ratios):.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", nargs="?", type=int, default=5)
    parser.add_argument("--loops", type=int, default=len(CORES))
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("--ahead", action="store_true")
    parser.add_argument("--pool", type=Path)
    parser.add_argument("--one")
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measured_here(**json.loads(chosen.one))))
        return
    nice = FIRST if chosen.ahead else ""
    if chosen.ahead:
        os.setsid()
        AUTOGROUP.write_text(FIRST, encoding="ascii")
    ways = dict(WAYS)
    if chosen.pool:
        own = {"LLAMA_CPP_LIB_PATH": str(chosen.pool)}
        ways |= {"ggml's own threads": Way(own), "its pool, poll 0": Way(own, poll=0), "its pool, poll 50": Way(own, poll=50)}
    names = [name for name in ways if name == BASE or (not chosen.only or name in chosen.only)]
    names = [name for name in names if chosen.parts or not ways[name].is_of_parts]
    measure = parts if chosen.parts else asked
    seen: dict[tuple[str, str, bool], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        home = home_of_seeds(Path(folder))
        measure(ways[BASE], home)  # warms the disk
        for number in range(chosen.rounds):
            # There and back, so that what grows or falls in a round favours none.
            for name in names if number % 2 == 0 else reversed(names):
                for busy in (False, True):
                    with neighbours(CORES[: chosen.loops], nice) if busy else nullcontext():
                        for part, seconds in measure(ways[name], home).items():
                            seen[name, part, busy].append(seconds)
                            print(f"{number} {name}, {'busy' if busy else 'quiet'}: {part} {seconds:.2f} s", file=sys.stderr)
    print(f"{chosen.rounds} rounds, {len(CORES)} cores, {chosen.loops} busy loops; ratios: median [least, most]")
    report(seen, names)


if __name__ == "__main__":
    main()
