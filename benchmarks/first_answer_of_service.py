"""How long does `rag serve` take from its start until it is ready, until a first search, and until a first answer?

usage: .venv/bin/python benchmarks/first_answer_of_service.py HOME [TIMES]

HOME has an index. The service is started TIMES (5) times for a search and as often for a question, each time for this first
request. One more round before warms the disk caches and is not counted. Prints the median and the longest seconds from the
start of the process until it is ready, and until the passages, the words that answer, the first word written and the whole
answer; also the CPU seconds of the service until then, which do not depend on other load.
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
# The events of a stream, and their names in the output.
EVENTS = {"evidence": "evidence", "verdict": "words that answer", "token": "first word", "done": "answer"}
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def started(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "RAG_HOME": str(home), "RAG_PORT": str(port)}
    # As by default: bytecode compiled in the first round is kept for the others.
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
    """The seconds until each event, with the CPU seconds until then."""
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
            if path == "/v1/search" or name in EVENTS:
                note(EVENTS.get(name, "first search"))
        connection.close()
    return found


def processor_seconds(pid: int) -> float:
    """The CPU seconds of a process."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS


def main() -> None:
    home, times = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    all_: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for round_ in range(times + 1):
        searched = measured(home, "/v1/search", {"question": QUESTION})
        asked = measured(home, "/v1/ask", {"question": QUESTION})
        for name, value in {**asked, **searched}.items():
            if round_:
                all_[name].append(value)
    for name in ("ready", "first search", *EVENTS.values()):
        if found := all_[name]:
            seconds, worked = zip(*found, strict=True)
            middle, most = statistics.median(seconds), max(seconds)
            print(f"{name:18} {middle:.2f} s (longest {most:.2f}), processor {statistics.median(worked):.2f} s")


if __name__ == "__main__":
    main()
