"""How soon does the model stop when the client disconnects?

usage: .venv/bin/python benchmarks/hanging_up.py HOME [TIMES]

HOME has an index. A service is started, and a question is asked TIMES (10) times for each stage. Its stream is closed at the
first event of that stage: while passages are judged, while the model reads, while it writes. Prints the median and the longest
milliseconds from then until the service last used the CPU, checked every 5 ms; Linux counts CPU time in steps of 10 ms.
"""

import json
import socket
import statistics
import sys
import time
from pathlib import Path

from first_answer_of_service import QUESTION, processor_seconds, ready, started

STAGES = {"evidence": "while passages are judged", "verdict": "while the model reads", "token": "while it writes"}
# Seconds without CPU use after which the model counts as stopped.
_REST = 0.5


def asked(port: int) -> socket.socket:
    body = json.dumps({"question": QUESTION}).encode()
    connection = socket.create_connection(("127.0.0.1", port), timeout=300)
    head = f"POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    connection.sendall(f"{head}Accept: text/event-stream\r\n\r\n".encode() + body)
    return connection


def milliseconds(pid: int, port: int, stage: str) -> float | None:
    """From the disconnect to the last CPU use; None if the answer was complete before the event was read."""
    with asked(port) as connection:
        received = b""
        while f"event: {stage}".encode() not in received:
            piece = connection.recv(65536)
            if not piece:
                return None
            received += piece
        if b"event: done" in received:
            return None
    left = last = time.perf_counter()
    before = processor_seconds(pid)
    while time.perf_counter() - last < _REST:
        time.sleep(0.005)
        if (now := processor_seconds(pid)) != before:
            before, last = now, time.perf_counter()
    return (last - left) * 1000


def main() -> None:
    home, times = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with started(home, port) as process:
        ready(process, port)
        with asked(port) as whole:
            while b"event: done" not in whole.recv(65536):
                pass
        for stage, what in STAGES.items():
            found = [value for _ in range(times) if (value := milliseconds(process.pid, port, stage)) is not None]
            middle, longest = statistics.median(found), max(found)
            print(f"{what:28} {middle:4.0f} ms (longest {longest:.0f}), {len(found)} of {times} times before its end")


if __name__ == "__main__":
    main()
