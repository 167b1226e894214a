"""Calibrates a language model as a judge: the centre and scale that turn its log-odds into a probability.

usage: .venv/bin/python benchmarks/calibrate_reader.py DATA_FOLDER [--llm NAME] [--count N]   (from the project's folder)

DATA_FOLDER has idkmrc.corpus.jsonl and idkmrc.questions.jsonl. N answerable questions are judged with the passage that answers
them, and N one-word edits of answerable questions with the passage that does not (passages under 800 characters, shuffled with
a fixed seed). Prints the AUROC with a bootstrap interval and the logistic fit. Its centre and scale belong in the catalogue
(rag/weights/catalogue.py).
"""

import argparse
import json
import os
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from rag import settings
from rag.engine import Engine
from rag.weights.catalogue import LLM


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--llm", default=LLM)
    parser.add_argument("--count", type=int, default=60)
    parsed = parser.parse_args()
    reader = Engine(replace(settings.load(os.environ, {}), llm=parsed.llm)).models.reader
    pairs = sample(parsed.data, parsed.count)
    log_odds = np.array([reader.judge(question, passage) for question, passage, _ in pairs])
    answers = np.array([answerable for *_, answerable in pairs])
    fit = LogisticRegression(C=1e6).fit(log_odds[:, None], answers)
    slope, intercept = float(fit.coef_[0, 0]), float(fit.intercept_[0])
    draws = np.random.default_rng(0).integers(0, len(pairs), (2000, len(pairs)))
    low, high = np.quantile(
        [roc_auc_score(answers[d], log_odds[d]) for d in draws if 0 < answers[d].sum() < len(d)], [0.025, 0.975]
    )
    print(f"{parsed.llm}, {parsed.count} + {parsed.count} questions of idkmrc")
    print(f"AUROC {roc_auc_score(answers, log_odds):.3f} [{low:.3f}, {high:.3f}]")
    print(f"centre {-intercept / slope:.2f}, scale {1 / slope:.2f}")


def sample(data: Path, count: int) -> list[tuple[str, str, bool]]:
    """(question, passage, whether the passage answers it): `count` of each kind, mixed."""
    rows = {
        name: [json.loads(line) for line in (data / f"idkmrc.{name}.jsonl").open(encoding="utf-8")]
        for name in ("corpus", "questions")
    }
    text = {row["id"]: row["text"] for row in rows["corpus"] if len(row["text"]) < 800}
    pairs = [(q["question"], (q["relevant"] or q.get("paired", [""]))[0], bool(q["answerable"])) for q in rows["questions"]]
    pairs = [(question, text[passage], answerable) for question, passage, answerable in pairs if passage in text]
    random.Random(11).shuffle(pairs)
    chosen = [p for p in pairs if p[2]][:count] + [p for p in pairs if not p[2]][:count]
    random.Random(4).shuffle(chosen)
    return chosen


if __name__ == "__main__":
    main()
