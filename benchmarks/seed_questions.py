"""How many of the twenty questions about the seed are answered right, with the answering sentence cited?

usage: .venv/bin/python benchmarks/seed_questions.py [--llm NAME]      (from the project's folder, after `make ask`)

A right outcome is an answer with the sentence of `tests/seed_questions.jsonl` among its citations or, for a question that the
seed does not answer, a refusal without citations. `gold` is whether the answer also contains one of the expected strings.
Prints a line for each question, then the totals with Wilson 95 % intervals, then the median seconds by stage.
"""

import argparse
import json
import math
import os
from dataclasses import replace
from pathlib import Path
from statistics import median

from rag import settings
from rag.answering.citing import verifies
from rag.engine import Engine
from rag.types import Answer
from rag.weights.catalogue import LLM

QUESTIONS = Path("tests/seed_questions.jsonl")


def wilson(successes: int, count: int) -> str:
    """The share with its 95 % score interval (Wilson 1927)."""
    z, share = 1.96, successes / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return f"{successes}/{count} = {share:.2f} [{centre - half:.2f}, {centre + half:.2f}]"


def cites(answer: Answer, sentence: str) -> bool:
    return any(sentence in citation.text or citation.text in sentence for citation in answer.citations)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--llm", default=LLM)
    chosen = replace(settings.load(os.environ, {}), llm=parser.parse_args().llm, store_mb=0)
    engine = Engine(chosen)
    rows = [json.loads(line) for line in QUESTIONS.read_text("utf-8").splitlines()]
    tally: dict[str, list[bool]] = {"cited": [], "gold": [], "refused": [], "language": [], "verified": []}
    seconds: dict[str, list[float]] = {}
    for row in rows:
        answer = engine.ask(row["question"])
        tally["language"].append(answer.language == row["lang"])
        tally["verified"] += [verifies(c, engine.document(c.document_id)) for c in answer.citations]
        if row["answerable"]:
            tally["cited"].append(cites(answer, row["evidence"]))
            tally["gold"].append(answer.answered and any(gold in answer.text for gold in row["answers"]))
            verdict = f"cited {tally['cited'][-1]}, gold {tally['gold'][-1]}"
        else:
            tally["refused"].append(not answer.answered and not answer.citations)
            verdict = f"refused {tally['refused'][-1]}"
        for stage, value in answer.receipt.seconds.items():
            seconds.setdefault(stage, []).append(value)
        print(
            f"{row['id']} {row['lang']} {verdict}, confidence {answer.confidence:.2f}: {row['question']}\n    {answer.text}",
            flush=True,
        )
    print(f"\n{chosen.llm}")
    for name, outcomes in tally.items():
        print(f"{name:9} {wilson(sum(outcomes), len(outcomes)) if outcomes else 'none'}")
    print("median seconds:", ", ".join(f"{stage} {median(values):.2f}" for stage, values in seconds.items()))


if __name__ == "__main__":
    main()
