"""`rag eval retrieval`, `rag eval judge` and `rag eval answers`: read the data set, measure, print tables or JSON."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from rag import settings
from rag.cli.terminal import Progress, engine_of, print_json
from rag.errors import QuestionError

_Evaluation = TypeVar("_Evaluation")


def evaluate_retrieval(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag eval retrieval`: prints a table, or JSON."""
    from rag.evaluation import dataset, report, retrieval_eval
    from rag.evaluation.retrieval_eval import IndexRanker

    data = dataset.read(parsed.corpus, parsed.questions)
    with _home(parsed) as home:
        progress = Progress()
        ranker = IndexRanker(engine_of(chosen), data, home, progress)
        evaluation = retrieval_eval.evaluate(data, ranker, partial(progress, "asking"))
    _print(parsed, evaluation, report.retrieval_table)


def evaluate_judge(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag eval judge`: prints tables, or JSON; draws pictures with `--pictures`."""
    from rag.evaluation import dataset, judge_eval, pictures, report
    from rag.evaluation.retrieval_eval import IndexRanker

    if parsed.pictures:
        pictures.require()
    data = dataset.read_for_judge(parsed.corpus, parsed.questions, parsed.claims)
    engine, progress = engine_of(chosen), Progress()
    # Before the corpus is indexed, so that missing weights are reported at once.
    judge, check = engine.models.judge, engine.models.support_check
    with _home(parsed) as home:
        finder = IndexRanker(engine, data.retrieval, home, progress) if data.retrieval.questions else None
        evaluation = judge_eval.evaluate(data, judge, check, finder, name=chosen.judge, progress=partial(progress, "judging"))
    if parsed.pictures:
        pictures.draw(evaluation, parsed.pictures)
    _print(parsed, evaluation, report.judge_table)


def evaluate_answers(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag eval answers`: prints tables, or JSON; draws a picture with `--pictures`."""
    from rag.evaluation import answers_eval, baseline, dataset, pictures, report
    from rag.evaluation.outcomes import Ledger

    if parsed.pictures:
        pictures.require()
    if parsed.plain < 0 or (parsed.sample is not None and parsed.sample < 1):
        raise QuestionError("--sample or --plain is too small", "give --sample 1 or more and --plain 0 or more")
    data = dataset.read_to_ask(parsed.corpus, parsed.questions)
    engine, progress = engine_of(chosen), Progress()
    ledger = Ledger(parsed.outcomes, answers_eval.run_of(engine, parsed.corpus, parsed.questions))
    # Before the corpus is indexed, so that missing weights are reported at once and no question waits for loading.
    _ = (engine.models.judge, engine.models.reader)
    with _home(parsed) as home:
        indexed = dataset.index(engine, data.passages, home, progress)
        choice, weights = answers_eval.Choice(parsed.sample, parsed.plain), engine.models.weights
        evaluation = answers_eval.evaluate(
            data,
            indexed,
            ledger,
            choice,
            open_plain=lambda: baseline.open_chat(chosen, weights),
            progress=partial(progress, "asking"),
        )
    if parsed.pictures:
        pictures.draw_abstention(evaluation, parsed.pictures)
    _print(parsed, evaluation, report.answers_table)


@contextmanager
def _home(parsed: argparse.Namespace) -> Iterator[Path]:
    """The folder for the index of the corpus: that of `--keep`, else a temporary one."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="rag-eval-") as temporary:
        yield parsed.keep or Path(temporary)


def _print(parsed: argparse.Namespace, evaluation: _Evaluation, table: Callable[[_Evaluation], str]) -> None:
    """Print the evaluation as JSON or as tables."""
    if parsed.json:
        print_json(evaluation)
    else:
        print(table(evaluation))
