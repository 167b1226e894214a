"""`rag eval` and `rag doctor`."""

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TypeVar

from rag import settings
from rag.cli.terminal import Progress, engine_of, print_json
from rag.errors import QuestionError

_Evaluation = TypeVar("_Evaluation")


def evaluate_retrieval(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag eval retrieval`: a table, or all of it as JSON."""
    from rag.evaluation import dataset, report, retrieval_eval
    from rag.evaluation.retrieval_eval import IndexRanker

    data = dataset.read(parsed.corpus, parsed.questions)
    with _home(parsed) as home:
        progress = Progress()
        ranker = IndexRanker(engine_of(chosen), data, home, progress)
        evaluation = retrieval_eval.evaluate(data, ranker, partial(progress, "asking"))
    _tell(parsed, evaluation, report.retrieval_table)


def evaluate_judge(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag eval judge`: tables, or all of it as JSON, and pictures where they are asked for."""
    from rag.evaluation import dataset, judge_eval, pictures, report
    from rag.evaluation.retrieval_eval import IndexRanker

    if parsed.pictures:
        pictures.require()
    data = dataset.read_for_judge(parsed.corpus, parsed.questions, parsed.claims)
    engine, progress = engine_of(chosen), Progress()
    # Before the corpus is indexed: weights that are missing are told at once.
    judge, check = engine.models.judge, engine.models.support_check
    with _home(parsed) as home:
        finder = IndexRanker(engine, data.retrieval, home, progress) if data.retrieval.questions else None
        evaluation = judge_eval.evaluate(data, judge, check, finder, name=chosen.judge, told=partial(progress, "judging"))
    if parsed.pictures:
        pictures.draw(evaluation, parsed.pictures)
    _tell(parsed, evaluation, report.judge_table)


def evaluate_answers(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag eval answers`: tables, or all of it as JSON, and a picture where it is asked for."""
    from rag.evaluation import answers_eval, dataset, pictures, plain, report
    from rag.evaluation.outcomes import Ledger

    if parsed.pictures:
        pictures.require()
    if parsed.plain < 0 or (parsed.sample is not None and parsed.sample < 1):
        raise QuestionError("so few questions cannot be asked", "give --sample 1 or more and --plain 0 or more")
    data = dataset.read_to_ask(parsed.corpus, parsed.questions)
    engine, progress = engine_of(chosen), Progress()
    ledger = Ledger(parsed.outcomes, answers_eval.run_of(engine, parsed.corpus, parsed.questions))
    # Before the corpus is indexed: weights that are missing are told at once. And no question waits for them.
    _ = (engine.models.judge, engine.models.reader)
    with _home(parsed) as home:
        indexed = dataset.index(engine, data.passages, home, progress)
        choice, weights = answers_eval.Choice(parsed.sample, parsed.plain), engine.models.weights
        evaluation = answers_eval.evaluate(
            data, indexed, ledger, choice, open_plain=lambda: plain.open_chat(chosen, weights), told=partial(progress, "asking")
        )
    if parsed.pictures:
        pictures.draw_abstention(evaluation, parsed.pictures)
    _tell(parsed, evaluation, report.answers_table)


@contextmanager
def _home(parsed: argparse.Namespace) -> Iterator[Path]:
    """The folder that keeps the corpus' index, else one that is gone afterwards."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="rag-eval-") as temporary:
        yield parsed.keep or Path(temporary)


def _tell(parsed: argparse.Namespace, evaluation: _Evaluation, table: Callable[[_Evaluation], str]) -> None:
    """The evaluation as JSON or as tables, as was asked for."""
    if parsed.json:
        print_json(evaluation)
    else:
        print(table(evaluation))


def doctor(parsed: argparse.Namespace, chosen: settings.Settings) -> int:
    """`rag doctor`: settings with where each comes from, and findings; 1 where something is to be mended."""
    from rag.doctor import examine

    findings, origins = examine(chosen), settings.origins(os.environ, vars(parsed))
    if parsed.json:
        print_json({"settings": chosen, "origins": origins, "findings": findings})
    else:
        for field in fields(chosen):
            print(f"{field.name:15} {getattr(chosen, field.name)!s:40} {origins[field.name]}")
        print()
        for finding in findings:
            print(
                f"{'ok  ' if finding.well else 'FIX '} {finding.subject}: {finding.state}"
                + ("" if finding.well else f"; {finding.hint}")
            )
    return 0 if all(finding.well for finding in findings) else 1
