"""`rag index` and `rag snapshots`: what they print, and their exit codes."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rag import settings
from rag.cli.terminal import Progress, complain, engine_of, print_json, print_line, print_progress
from rag.errors import IndexDamaged, QuestionError, SeedError, StorageError

if TYPE_CHECKING:
    from rag.engine import Engine
    from rag.indexing.protocol import Manifest


def index(parsed: argparse.Namespace, chosen: settings.Settings) -> int:
    """`rag index`: copies the paths into the seeds, then builds, warms, watches or verifies."""
    engine = engine_of(chosen)
    if parsed.name and "-" not in parsed.paths:
        raise QuestionError("--name is for standard input", "add - to the paths, or leave --name out")
    if parsed.verify and parsed.paths:
        raise QuestionError("--verify changes nothing and takes no paths", "leave out one of the two")
    if parsed.warm and not chosen.store_mb:
        raise QuestionError("the passage store is switched off", "set RAG_STORE_MB or --store-mb to more than 0")
    if parsed.verify:
        return _verify(engine, json_wanted=parsed.json)
    if paths := [Path(path) for path in parsed.paths if path != "-"]:
        engine.add(paths)
    if "-" in parsed.paths:
        engine.add_bytes(sys.stdin.buffer.read(), parsed.name)
    if parsed.watch:
        _watch(engine, json_wanted=parsed.json)
        return 0
    if parsed.warm:
        return _warm(engine, json_wanted=parsed.json)
    if parsed.progress:
        return _build_with_progress(engine, anew=parsed.rebuild)
    return _build(engine, anew=parsed.rebuild, json_wanted=parsed.json)


def _warm(engine: "Engine", *, json_wanted: bool) -> int:
    """Build, then let the language model read the passages. As JSON only the second is printed."""
    code = _build(engine, anew=False, json_wanted=False)
    warmed = engine.warm(Progress())
    if json_wanted:
        print_json(warmed)
    else:
        full = f"; {warmed.left} left: the store is full, increase RAG_STORE_MB" if warmed.left else ""
        print(f"warmed: {warmed.read} passages read, {warmed.stored} stored already{full}", file=sys.stderr)
    return code


def _build_with_progress(engine: "Engine", *, anew: bool) -> int:
    """Build, and print each step and the report as a line of JSON."""
    report = engine.rebuild(print_progress, anew=anew)
    print_line({"report": report})
    return SeedError.exit_code if report.failures else 0


def _build(engine: "Engine", *, anew: bool, json_wanted: bool) -> int:
    report = engine.rebuild(Progress(), anew=anew)
    for failure in report.failures:
        complain(failure)
    if json_wanted:
        print_json(report)
    elif report.did_nothing:
        print(f"index is up to date: {report.unchanged} documents, {report.chunks} chunks", file=sys.stderr)
    else:
        counts = f"{len(report.added)} added, {len(report.changed)} changed, {len(report.removed)} removed"
        sizes = f"{report.unchanged} unchanged; {report.embedded} of {report.chunks} chunks embedded"
        print(f"indexed: {counts}, {sizes} in {report.seconds:.1f} s; snapshot {report.snapshot}", file=sys.stderr)
    return SeedError.exit_code if report.failures else 0


def _watch(engine: "Engine", *, json_wanted: bool) -> None:
    """Build after each burst of changes, until interrupted. A failure is reported, and retried after the next change."""
    for _ in engine.watch():
        try:
            _build(engine, anew=False, json_wanted=json_wanted)
        except (SeedError, StorageError) as error:
            complain(str(error))
        sys.stdout.flush()


def _verify(engine: "Engine", *, json_wanted: bool) -> int:
    problems = engine.verify()
    for problem in problems:
        complain(f"{problem}; run `rag index --rebuild`")
    if json_wanted:
        print_json({"problems": problems})
    elif not problems:
        print("the index is intact: every file, record and count", file=sys.stderr)
    return IndexDamaged.exit_code if problems else 0


def snapshots(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag snapshots`: rolls back or prunes, then lists the snapshots."""
    engine = engine_of(chosen)
    if parsed.action == "rollback":
        if not parsed.id:
            raise QuestionError("rollback needs a snapshot", "choose one from `rag snapshots list`")
        engine.rollback(parsed.id)
    elif parsed.action == "prune":
        if parsed.keep < 1:
            raise QuestionError(f"{parsed.keep} snapshots cannot be kept", "give --keep 1 or more")
        engine.prune(parsed.keep)
    serving = engine.serving()
    if parsed.json:
        print_json([{"serves": m.id == serving, **_without_files(m)} for m in engine.snapshots()])
        return
    for m in engine.snapshots():
        mark = "*" if m.id == serving else " "
        print(f"{mark} {m.id}  {m.created}  {m.documents} documents, {m.chunks} chunks, {len(m.segments)} segments")


def _without_files(manifest: "Manifest") -> dict[str, object]:
    return {name: value for name, value in asdict(manifest).items() if name != "files"}
