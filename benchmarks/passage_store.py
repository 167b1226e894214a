"""What does a stored passage cost, what does it save, and does it change answers?

usage: .venv/bin/python benchmarks/passage_store.py DATA_FOLDER [--llm NAME] [--count N] [--longest CHARACTERS] [--threads N]

DATA_FOLDER has idkmrc.corpus.jsonl and idkmrc.questions.jsonl. N (20) answerable questions (passages under 800 characters,
shuffled with a fixed seed) are asked about the passage that answers them: once with the passage processed by the model, once
with its state from a store in a temporary folder; both in a context of 16-bit floats and in one of q8_0. Prints a line for each
passage, then: kilobytes a token on disk and in memory; seconds to process and to load; the largest difference of the judge's
log-odds and the number of equal greedy answers, for stored against processed and for q8_0 against 16 bits.
"""

import argparse
import json
import os
import random
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from llama_cpp import llama_cpp as C  # noqa: N812 - as in rag/answering/local/context.py

from rag import settings
from rag.answering.local.llama import LlamaReader
from rag.answering.local.store import PassageStore, usage
from rag.engine import Engine
from rag.weights.catalogue import LLM

BOUND = 10**10
# Enough of an answer to distinguish it from another.
ANSWER_TOKENS = 24


class MeasuredReader(LlamaReader):
    """The reader, with measurements of how it loads a passage."""

    def seconds_to_hold(self, passage: str) -> float:
        """Seconds until the passage is in an empty context."""
        self._held.forget()
        start = time.perf_counter()
        self._hold(passage, 200)
        return time.perf_counter() - start

    def size(self, passage: str) -> tuple[int, int]:
        """Tokens of a loaded passage, and bytes of its state."""
        held = self._hold(passage, 0)
        return len(self._passage_tokens(passage, 0)), len(self._held.state(held))


class QuantisedReader(MeasuredReader):
    """The same with a context of q8_0."""

    cache_type = C.GGML_TYPE_Q8_0


@dataclass(frozen=True, slots=True)
class Asked:
    """One way to ask: seconds until the passage was loaded, the judge's log-odds, the answer."""

    seconds: float
    log_odds: float
    answer: str


@dataclass(frozen=True, slots=True)
class Measured:
    """A passage processed and from the store; its tokens, and bytes of its state in memory and on disk."""

    fresh: Asked
    stored: Asked
    tokens: int
    memory: int
    rest: int


def ask(reader: MeasuredReader, question: str, passage: str, instruction: str) -> Asked:
    seconds = reader.seconds_to_hold(passage)
    log_odds = reader.judge(question, passage)
    return Asked(seconds, log_odds, "".join(reader.answer(question, [passage], instruction)))


def measure(reader: MeasuredReader, folder: Path, question: str, passage: str, instruction: str) -> Measured:
    before = usage(folder).size
    fresh = ask(reader, question, passage, instruction)
    while not reader.is_stored(passage):
        time.sleep(0.1)
    tokens, memory = reader.size(passage)
    rest = usage(folder).size - before
    return Measured(fresh, ask(reader, question, passage, instruction), tokens, memory, rest)


def sample(data: Path, count: int, longest: int) -> list[tuple[str, str]]:
    """(question, passage that answers it)."""
    rows = {
        name: [json.loads(line) for line in (data / f"idkmrc.{name}.jsonl").open(encoding="utf-8")]
        for name in ("corpus", "questions")
    }
    text = {row["id"]: row["text"] for row in rows["corpus"] if len(row["text"]) < longest}
    pairs = [(q["question"], text[q["relevant"][0]]) for q in rows["questions"] if q["answerable"] and q["relevant"][0] in text]
    random.Random(11).shuffle(pairs)
    return list({passage: (question, passage) for question, passage in pairs}.values())[:count]


def difference(pairs: list[tuple[Asked, Asked]]) -> str:
    odds = [abs(one.log_odds - other.log_odds) for one, other in pairs]
    same = sum(one.answer == other.answer for one, other in pairs)
    return f"log-odds differ by {max(odds):.4f} at most (median {median(odds):.4f}); answers the same {same} of {len(pairs)}"


def describe(name: str, measured: list[Measured]) -> None:
    tokens = sum(m.tokens for m in measured)
    memory, rest = (sum(size) / tokens / 1000 for size in zip(*((m.memory, m.rest) for m in measured), strict=True))
    read, load = median(m.fresh.seconds for m in measured), median(m.stored.seconds for m in measured)
    ratio = median(m.fresh.seconds / m.stored.seconds for m in measured)
    count = median(m.tokens for m in measured)
    print(f"{name}: {memory:.1f} KB a token in memory, {rest:.1f} at rest; {count:.0f} tokens a passage")
    print(f"{name}: {read:.2f} s to read, {load:.3f} s to load (medians), {ratio:.0f} times sooner (median of ratios)")
    print(f"{name}: stored against fresh: {difference([(m.stored, m.fresh) for m in measured])}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--llm", default=LLM)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--longest", type=int, default=800)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parsed = parser.parse_args()
    engine = Engine(replace(settings.load(os.environ, {}), llm=parsed.llm))
    instruction = engine.models.prompts.phrases("id").instruction
    measured: dict[str, list[Measured]] = {"f16": [], "q8_0": []}
    with tempfile.TemporaryDirectory() as temporary:
        folders = {name: Path(temporary) / name for name in measured}
        readers = {
            name: kind(
                engine.models.llm_source,
                engine.models.prompts,
                store=PassageStore(folders[name], BOUND),
                threads=parsed.threads,
                context_tokens=2048,
                answer_tokens=ANSWER_TOKENS,
            )
            for name, kind in (("f16", MeasuredReader), ("q8_0", QuantisedReader))
        }
        for question, passage in sample(parsed.data, parsed.count, parsed.longest):
            for name, reader in readers.items():
                measured[name].append(measure(reader, folders[name], question, passage, instruction))
                print(f"{name:5} {measured[name][-1]}", flush=True)
    for name, each in measured.items():
        describe(name, each)
    both = zip(measured["q8_0"], measured["f16"], strict=True)
    print(f"q8_0 against f16: {difference([(quantised.fresh, plain.fresh) for quantised, plain in both])}")


if __name__ == "__main__":
    main()
