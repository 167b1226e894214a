"""`rag eval` and `rag doctor`."""

import argparse
from dataclasses import fields
from pathlib import Path

from rag import settings
from rag.cli.terminal import Progress, engine_of, print_json


def evaluate_retrieval(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag eval retrieval`: a table, or all of it as JSON."""
    from tempfile import TemporaryDirectory

    from rag.evaluation import dataset, report, retrieval
    from rag.evaluation.ranker import IndexRanker

    data = dataset.read(parsed.corpus, parsed.questions)
    with TemporaryDirectory(prefix="rag-eval-") as temporary:
        observer = Progress()
        ranker = IndexRanker(engine_of(chosen), data, parsed.keep or Path(temporary), observer)
        evaluation = retrieval.evaluate(data, ranker, observer.asked)
    if parsed.json:
        print_json(evaluation)
    else:
        print(report.table(evaluation))


def evaluate_judge(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag eval judge`: tables, or all of it as JSON, and pictures where they are asked for."""
    from tempfile import TemporaryDirectory

    from rag.evaluation import dataset, judge_report, judging, pictures
    from rag.evaluation.ranker import IndexRanker

    if parsed.pictures:
        pictures.require()
    data = dataset.read_for_judge(parsed.corpus, parsed.questions, parsed.claims)
    engine, observer = engine_of(chosen), Progress()
    # Before the corpus is indexed: weights that are missing are told at once.
    judge, check = engine.judge, engine.support_check
    with TemporaryDirectory(prefix="rag-eval-") as temporary:
        home = parsed.keep or Path(temporary)
        finder = IndexRanker(engine, data.retrieval, home, observer) if data.retrieval.questions else None
        evaluation = judging.evaluate(data, judge, check, finder, name=chosen.judge, told=observer.judged)
    if parsed.pictures:
        pictures.draw(evaluation, parsed.pictures)
    if parsed.json:
        print_json(evaluation)
    else:
        print(judge_report.table(evaluation))


def doctor(parsed: argparse.Namespace, chosen: settings.Settings) -> int:
    """`rag doctor`: settings and findings; 1 where something is to be mended."""
    from rag.doctor import examine

    findings = examine(chosen)
    if parsed.json:
        print_json({"settings": chosen, "findings": findings})
    else:
        for field in fields(chosen):
            print(f"{field.name:15} {getattr(chosen, field.name)}")
        print()
        for finding in findings:
            print(
                f"{'ok  ' if finding.well else 'MEND'} {finding.subject}: {finding.state}"
                + ("" if finding.well else f"; {finding.mend}")
            )
    return 0 if all(finding.well for finding in findings) else 1
