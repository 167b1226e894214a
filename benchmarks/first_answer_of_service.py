"""How soon after `rag serve` is started is it ready, does it answer a first search, and does it answer a first question?

usage: .venv/bin/python benchmarks/first_answer_of_service.py HOME [TIMES]

HOME has an index. The service is started TIMES (5) times for a search, and as often for a question: each is the first thing
that it is asked. The first round warms the disks and is left out. Prints medians, and the longest, of the seconds from the
start of the process to the ready service, to the passages, to the words that answer, to the first word written, and to the
whole answer; beside them the processor seconds that the service took until then, which other work does not change.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

QUESTION = "Apa yang dikatakan Menteri Pertahanan tentang Venezuela?"
# The stages that a stream tells of, as they are called here.
TOLD = {"evidence": "evidence", "verdict": "words that answer", "token": "first word", "done": "answer"}
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def started(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "RAG_HOME": str(home), "RAG_PORT": str(port)}
    # As Python does of itself: what it compiled in the first round is kept for the others.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "rag", "serve"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def ready(process: subprocess.Popen[bytes], port: int) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise SystemExit(f"rag serve ended with {process.returncode}; run it to see why")


def measured(home: Path, path: str, body: dict[str, object]) -> dict[str, tuple[float, float]]:
    """What came when, each with the processor seconds until then."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    begun, found = time.perf_counter(), dict[str, tuple[float, float]]()
    with started(home, port) as process:

        def note(name: str) -> None:
            found.setdefault(name, (time.perf_counter() - begun, processor_seconds(process.pid)))

        ready(process, port)
        note("ready")
        connection = HTTPConnection("127.0.0.1", port, timeout=300)
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        reply = connection.getresponse()
        assert reply.status == 200, reply.read()
        for line in reply:
            name = line.decode().removeprefix("event: ").strip()
            if path == "/v1/search" or name in TOLD:
                note(TOLD.get(name, "first search"))
        connection.close()
    return found


def processor_seconds(pid: int) -> float:
    """The processor seconds that a process took."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS


def main() -> None:
    home, times = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    all_: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for turn in range(times + 1):
        searched = measured(home, "/v1/search", {"question": QUESTION})
        asked = measured(home, "/v1/ask", {"question": QUESTION})
        for name, value in {**asked, **searched}.items():
            if turn:
                all_[name].append(value)
    for name in ("ready", "first search", *TOLD.values()):
        if found := all_[name]:
            seconds, worked = zip(*found, strict=True)
            middle, most = statistics.median(seconds), max(seconds)
            print(f"{name:18} {middle:.2f} s (longest {most:.2f}), processor {statistics.median(worked):.2f} s")


if __name__ == "__main__":
    main()
