"""Load test: many clients ask at once and another one searches, while the index is rebuilt.

usage: .venv/bin/python benchmarks/many_askers.py [--url URL] [--askers 50] [--seconds 120] [--questions FILE]

`rag serve` must be running at URL (http://127.0.0.1:8000) with RAG_REQUESTS_PER_MINUTE=0. If it needs a key (scope admin), the
variable KEY has it. Each client asks without a pause, half of them with an event stream, and waits as long as a 429 says.
Another client searches ten times a second. Half-way the index is rebuilt from scratch. FILE has a question on each line.

Prints counts of statuses, quantiles of seconds, and the memory of the service over time. Ends with 1 if a status is neither 200
nor 429, a connection or a stream breaks off, or the rebuild fails: no request may be dropped.
"""

import argparse
import json
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

QUESTIONS = (
    "Siapa Menteri Pertahanan Iran?",
    "Apa yang dikatakan Menteri Pertahanan tentang Venezuela?",
    "Siapa Kepala Staf Angkatan Bersenjata Iran?",
    "What did the minister of defence say about Venezuela?",
    "Berapa tinggi Gunung Semeru?",
    "Kapan pertemuan pejabat dan duta besar di Teheran diadakan?",
)
# Seconds between two searches, between two measurements of memory, until memory must be flat, and for an answer behind a full
# queue.
SEARCH_PAUSE, LOOK_PAUSE, WARM, PATIENCE = 0.1, 1.0, 30, 900
_MEMORY = re.compile(r"^process_resident_memory_bytes (\S+)$", re.MULTILINE)


@dataclass
class Seen:
    """The observations of all threads; they are changed under the lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    statuses: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"ask": [], "evidence": [], "search": []})
    memory: list[tuple[float, float]] = field(default_factory=list)

    def status(self, what: str, status: int) -> None:
        with self.lock:
            self.statuses[f"{what} {status}"] += 1
            if status not in {200, 202, 429}:
                self.faults[f"{what} was answered with {status}"] += 1

    def fault(self, what: str) -> None:
        with self.lock:
            self.faults[what] += 1

    def took(self, what: str, seconds: float) -> None:
        with self.lock:
            self.seconds[what].append(seconds)


class Service:
    """A client of the service at an address."""

    def __init__(self, url: str, key: str) -> None:
        self._address = urlsplit(url).netloc
        self._headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}

    def send(self, method: str, path: str, body: object = None, accept: str = "*/*") -> tuple[int, str, str, float]:
        """Status, Retry-After, the whole body, and the seconds to its first line."""
        connection = HTTPConnection(self._address, timeout=PATIENCE)
        begun = time.perf_counter()
        try:
            headers = {**self._headers, "Accept": accept}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            reply = connection.getresponse()
            first = reply.readline()
            seconds = time.perf_counter() - begun
            return reply.status, reply.headers.get("Retry-After", "1"), (first + reply.read()).decode(), seconds
        finally:
            connection.close()


def ask_on(service: Service, questions: tuple[str, ...], number: int, seen: Seen, ended: threading.Event) -> None:
    turn = number
    streamed = number % 2 == 0
    accept = "text/event-stream" if streamed else "application/json"
    while not ended.is_set():
        turn += 1
        begun = time.perf_counter()
        status, wait, text, first = service.send("POST", "/v1/ask", {"question": questions[turn % len(questions)]}, accept)
        seen.status("ask", status)
        if status == 429:
            ended.wait(float(wait))
        elif status == 200:
            if not (_ends_with_done(text) if streamed else "answered" in json.loads(text)):
                seen.fault("an answer broke off")
            seen.took("ask", time.perf_counter() - begun)
            if streamed:
                seen.took("evidence", first)


def _ends_with_done(text: str) -> bool:
    names = re.findall(r"^event: (\w+)\r?$", text, re.MULTILINE)
    return bool(names) and names[-1] == "done" and text.endswith("\n\n" if "\r" not in text else "\r\n\r\n")


def search_on(service: Service, questions: tuple[str, ...], seen: Seen, ended: threading.Event) -> None:
    turn = 0
    while not ended.wait(SEARCH_PAUSE):
        turn += 1
        begun = time.perf_counter()
        status, _, _, _ = service.send("POST", "/v1/search", {"question": questions[turn % len(questions)]})
        seen.took("search", time.perf_counter() - begun)
        seen.status("search", status)


def look_on(service: Service, begun: float, seen: Seen, ended: threading.Event) -> None:
    while not ended.wait(LOOK_PAUSE):
        status, _, text, _ = service.send("GET", "/metrics")
        seen.status("metrics", status)
        if found := _MEMORY.search(text):
            seen.memory.append((time.perf_counter() - begun, float(found[1]) / 1e6))


def rebuild(service: Service, seen: Seen, patience: float) -> str:
    """Start a rebuild from scratch, and wait for its result."""
    begun = time.perf_counter()
    status, _, text, _ = service.send("POST", "/v1/index", {"anew": True})
    seen.status("index", status)
    if status != 202:
        return text
    job = json.loads(text)
    while job["state"] not in {"done", "failed"} and time.perf_counter() - begun < patience:
        time.sleep(0.5)
        job = json.loads(service.send("GET", f"/v1/jobs/{job['id']}")[2])
    if job["state"] != "done":
        seen.fault(f"the rebuild is {job['state']}: {job['problem']}")
    return f"{job['state']} in {time.perf_counter() - begun:.1f} s"


def watched(seen: Seen, work: Callable[[], None]) -> threading.Thread:
    """A thread whose errors are recorded as faults."""

    def run() -> None:
        try:
            work()
        except (OSError, HTTPException, ValueError) as error:
            seen.fault(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def report(seen: Seen, rebuilt: str) -> None:
    for name, count in sorted(seen.statuses.items()):
        print(f"{name:14} {count}")
    for name, seconds in seen.seconds.items():
        if seconds:
            middle, high = np.percentile(seconds, (50, 95))
            print(f"{name:14} p50 {middle:.3f} s, p95 {high:.3f} s, longest {max(seconds):.3f} s ({len(seconds)})")
    print(f"rebuild        {rebuilt}")
    print(
        "memory         "
        + ", ".join(f"{size:.0f} MB at {at:.0f} s" for at, size in seen.memory[:: max(1, len(seen.memory) // 12)])
    )
    if later := [size for at, size in seen.memory if at >= WARM]:
        print(f"from {WARM} s on   {min(later):.0f} to {max(later):.0f} MB, at the end {later[-1] - later[0]:+.0f} MB")
    for fault, count in seen.faults.items():
        print(f"FAULT {count} x {fault}")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--askers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--questions", type=Path)
    chosen = parser.parse_args()
    lines = chosen.questions.read_text("utf-8").splitlines() if chosen.questions else QUESTIONS
    questions = tuple(line for line in lines if line.strip())
    service, seen, ended = Service(chosen.url, os.environ.get("KEY", "")), Seen(), threading.Event()
    begun = time.perf_counter()
    threads = [watched(seen, lambda n=n: ask_on(service, questions, n, seen, ended)) for n in range(chosen.askers)]  # type: ignore[misc]  # a default holds each number
    threads += [watched(seen, lambda: search_on(service, questions, seen, ended))]
    threads += [watched(seen, lambda: look_on(service, begun, seen, ended))]
    time.sleep(chosen.seconds / 2)
    rebuilt = rebuild(service, seen, PATIENCE)
    time.sleep(max(0.0, chosen.seconds - (time.perf_counter() - begun)))
    ended.set()
    for thread in threads:
        thread.join()
    report(seen, rebuilt)
    return 1 if seen.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
