"""The command line: parse arguments, call the engine, print. The only file that prints."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag import __version__, settings
from rag.errors import IndexDamaged, QuestionError, RagError, SeedError, StorageError
from rag.weights.catalogue import CATALOGUE, EMBEDDER, LLM, Model

if TYPE_CHECKING:
    from rag.engine import Engine
    from rag.indexing.snapshot import Manifest
    from rag.types import Answer, Event, Passage
    from rag.weights.cache import FileState

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, that of the error (see `rag.errors`), or 130 for Ctrl-C."""
    parsed = _parser().parse_args(arguments)
    try:
        code = int(parsed.run(parsed, settings.load(os.environ, vars(parsed))) or 0)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, a person gets a line, not a trace
        return _told(error)
    return code


def _told(error: BaseException) -> int:
    """The exit code of the error, after one line about it."""
    line, code = f"a mistake in rag itself: {type(error).__name__}: {error}; please report it with the command you ran", 1
    match error:
        case RagError():
            line, code = str(error), error.exit_code
        case KeyboardInterrupt():
            line, code = "interrupted; run the same command again: what was finished is kept", _INTERRUPTED
        case BrokenPipeError():
            # The reader of our output has gone (as `head` does); there is nobody left to tell.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + signal.SIGPIPE
        case UnicodeEncodeError():
            line = f"the terminal cannot show {error.object[error.start]!a}; set PYTHONIOENCODING=utf-8"
        case OSError():
            line = f"{error.strerror or error} ({error.filename or 'output'}); run `rag doctor`"
            code = StorageError.exit_code
    _complain(line)
    return code


def _complain(line: str) -> None:
    print(f"rag: {line}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rag", description="Ask your own documents. Every sentence of an answer is cited.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    index = _command(commands, "index", _index, "bring the index in line with seeds/")
    index.add_argument(
        "paths", nargs="*", metavar="PATH", help="files or folders to copy into seeds/ first; - for standard input"
    )
    index.add_argument("--name", metavar="FILE", help="what standard input is called in seeds/, as notes.md")
    how = index.add_mutually_exclusive_group()
    how.add_argument("--rebuild", action="store_true", help="reuse nothing of the old index")
    how.add_argument("--watch", action="store_true", help="go on, and index what changes in seeds/ until interrupted")
    how.add_argument("--verify", action="store_true", help="build nothing; read the whole index and say what is wrong with it")
    search = _command(commands, "search", _search, "find the passages nearest to a question")
    search.add_argument("question")
    search.add_argument("--count", type=int, default=5, help="passages to show (5)")
    ask = _command(commands, "ask", _ask, "answer a question from the documents")
    ask.add_argument("question")
    for asking in (search, ask):
        asking.add_argument(
            "--where", default="", metavar="FILTER", help="as in: language=id and folder=news and date>=2026-01"
        )
    kept = _command(commands, "snapshots", _snapshots, "list the states of the index, go back to one, remove old ones")
    kept.add_argument("action", nargs="?", choices=("list", "rollback", "prune"), default="list")
    kept.add_argument("id", nargs="?", help="the snapshot to go back to")
    kept.add_argument("--keep", type=int, default=1, metavar="N", help="how many prune leaves (1)")
    _command(commands, "serve", _serve, "answer over HTTP")
    evaluation = _command(commands, "eval", _eval, "measure retrieval on questions whose answering passages are known")
    evaluation.add_argument("what", choices=("retrieval",))
    evaluation.add_argument("--corpus", required=True, type=Path, metavar="FILE", help="JSON lines with id, title, text")
    evaluation.add_argument(
        "--questions", required=True, type=Path, metavar="FILE", help="JSON lines with id, question, lang, relevant"
    )
    evaluation.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the corpus' index there, for the next run")
    models = _command(commands, "models", _models, "list, fetch or verify the weights")
    models.add_argument("action", nargs="?", choices=("list", "fetch", "verify"), default="list")
    models.add_argument("names", nargs="*", metavar="NAME", help="models; those of the settings where none is named")
    _command(commands, "doctor", _doctor, "check the settings, weights and index")
    return parser


def _command(commands: Any, name: str, run: Any, about: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print one JSON value")
    group = parser.add_argument_group("settings")
    for field in fields(settings.Settings):
        flag, variable = field.name.replace("_", "-"), settings.PREFIX + field.name.upper()
        group.add_argument(f"--{flag}", help=f"{field.metadata['about']} [{variable}]".replace("%", "%%"), metavar="X")
    return parser


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1, default=_plain))


def _plain(value: object) -> object:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


def _engine(chosen: settings.Settings) -> "Engine":
    from rag.engine import Engine

    return Engine(chosen)


# rag index


class _IndexObserver:
    """Shows a build's progress on standard error."""

    def __init__(self) -> None:
        self._bar: Any = None

    def waiting(self) -> None:
        print("another `rag index` is at work here; waiting for it", file=sys.stderr)

    def read(self, done: int, total: int) -> None:
        self._show(done, total, "reading", "document")

    def embedded(self, done: int, total: int) -> None:
        self._show(done, total, "embedding", "chunk")

    def asked(self, done: int, total: int) -> None:
        self._show(done, total, "asking", "question")

    def _show(self, done: int, total: int, stage: str, unit: str) -> None:
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(total=total, unit=unit, desc=stage, disable=not sys.stderr.isatty())
        self._bar.update(done - self._bar.n)
        if done == total:
            self._bar.close()
            self._bar = None


def _index(parsed: argparse.Namespace, chosen: settings.Settings) -> int:
    engine = _engine(chosen)
    if parsed.verify:
        return _verify(engine, json_wanted=parsed.json)
    if paths := [Path(path) for path in parsed.paths if path != "-"]:
        engine.add(paths)
    if "-" in parsed.paths:
        engine.add_bytes(sys.stdin.buffer.read(), parsed.name)
    if parsed.watch:
        _watch(engine, json_wanted=parsed.json)
        return 0
    return _build(engine, anew=parsed.rebuild, json_wanted=parsed.json)


def _build(engine: "Engine", *, anew: bool, json_wanted: bool) -> int:
    report = engine.rebuild(_IndexObserver(), anew=anew)
    for failure in report.failures:
        _complain(failure)
    if json_wanted:
        _print_json(report)
    elif report.did_nothing:
        print(f"index is up to date: {report.unchanged} documents, {report.chunks} chunks", file=sys.stderr)
    else:
        counts = f"{len(report.added)} added, {len(report.changed)} changed, {len(report.removed)} removed"
        sizes = f"{report.unchanged} unchanged; {report.embedded} of {report.chunks} chunks embedded"
        print(f"indexed: {counts}, {sizes} in {report.seconds:.1f} s; snapshot {report.snapshot}", file=sys.stderr)
    return SeedError.exit_code if report.failures else 0


def _watch(engine: "Engine", *, json_wanted: bool) -> None:
    """Build after each burst of changes, until interrupted. What fails is told, and tried again after the next."""
    for _ in engine.watch():
        try:
            _build(engine, anew=False, json_wanted=json_wanted)
        except (SeedError, StorageError) as error:
            _complain(str(error))
        sys.stdout.flush()


def _verify(engine: "Engine", *, json_wanted: bool) -> int:
    problems = engine.verify()
    for problem in problems:
        _complain(f"{problem}; run `rag index --rebuild`")
    if json_wanted:
        _print_json({"problems": problems})
    elif not problems:
        print("the index is whole: every file, record and count", file=sys.stderr)
    return IndexDamaged.exit_code if problems else 0


# rag snapshots


def _snapshots(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    engine = _engine(chosen)
    if parsed.action == "rollback":
        if not parsed.id:
            raise QuestionError("rollback needs the snapshot to go back to", "choose one of `rag snapshots list`")
        engine.rollback(parsed.id)
    elif parsed.action == "prune":
        if parsed.keep < 1:
            raise QuestionError(f"{parsed.keep} snapshots cannot be kept", "give --keep 1 or more")
        engine.prune(parsed.keep)
    serving = engine.serving()
    if parsed.json:
        _print_json([{"serves": m.id == serving, **_without_files(m)} for m in engine.snapshots()])
        return
    for m in engine.snapshots():
        mark = "*" if m.id == serving else " "
        print(f"{mark} {m.id}  {m.created}  {m.documents} documents, {m.chunks} chunks, {len(m.segments)} segments")


def _without_files(manifest: "Manifest") -> dict[str, object]:
    return {name: value for name, value in asdict(manifest).items() if name != "files"}


# rag search, rag ask


def _search(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    passages = _engine(chosen).search(parsed.question, parsed.count, parsed.where)
    if parsed.json:
        _print_json({"question": parsed.question, "passages": passages})
        return
    for number, passage in enumerate(passages, 1):
        print(f"{number}. {_place(passage)}  {_scores(passage)}\n   {_one_line(passage.text)}\n")


def _place(passage: "Passage") -> str:
    page = f", page {passage.page}" if passage.page else ""
    return f"{passage.path}:{passage.start}-{passage.end}{page}"


def _scores(passage: "Passage") -> str:
    return f"{passage.score:.2f} (meaning {passage.dense:.3f}, words {passage.lexical:.1f})"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _ask(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    from rag.engine import whole

    live = not parsed.json and sys.stdout.isatty()
    answer = whole(_engine(chosen).ask(parsed.question, parsed.where), _show_live if live else lambda _: None)
    if parsed.json:
        _print_json(answer)
    else:
        _print_answer(answer, live=live)


def _show_live(event: "Event") -> None:
    """The answer as it is written, and on standard error where it is looked for."""
    from rag.types import Found, Token

    if isinstance(event, Found):
        print("reading " + ", ".join(_place(passage) for passage in event.passages), file=sys.stderr)
    elif isinstance(event, Token):
        print(event.text, end="", flush=True)


def _print_answer(answer: "Answer", *, live: bool) -> None:
    if live:
        print("\n")
    print(answer.text)
    if answer.answered:
        for number, citation in enumerate(answer.citations, 1):
            page = f"page {citation.page}, " if citation.page else ""
            print(f"\n[{number}] {citation.path}, {page}characters {citation.start}-{citation.end}:")
            print(f"    “{_one_line(citation.text)}”")
    elif answer.passages:
        print("\n" + "\n".join(f"  ? {_place(p)}  {_one_line(p.text)[:100]}…" for p in answer.passages[:3]))


# rag serve


def _serve(_parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    from rag.web.app import serve

    serve(_engine(chosen))


# rag eval


def _eval(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    from tempfile import TemporaryDirectory

    from rag.evaluation import dataset, report, retrieval
    from rag.evaluation.ranker import IndexRanker

    data = dataset.read(parsed.corpus, parsed.questions)
    with TemporaryDirectory(prefix="rag-eval-") as temporary:
        observer = _IndexObserver()
        ranker = IndexRanker(_engine(chosen), data, parsed.keep or Path(temporary), observer)
        evaluation = retrieval.evaluate(data, ranker, observer.asked)
    if parsed.json:
        _print_json(evaluation)
    else:
        print(report.table(evaluation))


# rag models


def _models(parsed: argparse.Namespace, chosen: settings.Settings) -> int:
    from rag.weights.cache import WeightCache

    cache = WeightCache(chosen.cache)
    models = _named_models(parsed.names, chosen, everything=parsed.action != "fetch")
    if parsed.action == "fetch":
        _fetch(models, cache, quiet=parsed.json)
    states = [state for model in models for state in cache.states(model, hashing=parsed.action == "verify")]
    if parsed.json:
        _print_json([{**asdict(s), "licence": CATALOGUE[s.model].licence} for s in states])
    elif parsed.action != "fetch":
        _print_states(models, states)
    bad = {"damaged"} if parsed.action == "list" else {"damaged", "partial"}
    damaged = [state for state in states if state.state in bad]
    for state in damaged:
        _complain(f"{state.path} is {state.state}; run `rag models fetch {state.model}`")
    return 5 if damaged else 0


def _named_models(names: Sequence[str], chosen: settings.Settings, *, everything: bool) -> list[Model]:
    """The models named; where none is, those that the settings use, or `everything` of the catalogue."""
    wanted = list(names) or (list(CATALOGUE) if everything else [n for n in (chosen.embedder, chosen.llm) if n in CATALOGUE])
    for name in wanted:
        if name not in CATALOGUE:
            raise QuestionError(f"the catalogue has no model {name}", f"choose of {', '.join(CATALOGUE)}")
    return [CATALOGUE[name] for name in wanted]


def _fetch(models: Sequence[Model], cache: Any, *, quiet: bool) -> None:
    from rag.weights.fetch import fetch

    for model in models:
        meter = _FetchMeter(quiet=quiet)
        if fetch(model, cache, meter):
            meter.close()
            print(f"fetched and verified {model.name} ({model.size / 1e6:.0f} MB)", file=sys.stderr)


class _FetchMeter:
    """A progress bar on a terminal, a line every tenth elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._file, self._tenth = quiet, "", -1
        self._bar: Any = None

    def __call__(self, model: str, file: str, done: int, total: int) -> None:
        if self._quiet:
            return
        if sys.stderr.isatty():
            self._draw(f"{model}/{file}", done, total)
        elif (file, tenth := 10 * done // total) != (self._file, self._tenth):
            self._file, self._tenth = file, tenth
            print(f"fetching {model}/{file}: {done / 1e6:.0f} of {total / 1e6:.0f} MB", file=sys.stderr, flush=True)

    def _draw(self, name: str, done: int, total: int) -> None:
        from tqdm import tqdm

        if self._bar is None or self._file != name:
            self.close()
            self._bar = tqdm(total=total, initial=done, unit="B", unit_scale=True, desc=name)
            self._file = name
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _print_states(models: Sequence[Model], states: "Sequence[FileState]") -> None:
    for model in models:
        default = " (default)" if model.name in (EMBEDDER, LLM) else ""
        print(f"{model.name}{default}: {model.about}; {model.licence}")
        for state in states:
            if state.model == model.name:
                print(f"  {state.state:8} {state.size / 1e6:7.1f} of {state.expected_size / 1e6:7.1f} MB  {state.path}")
                print(f"           sha256 {state.sha256}")


# rag doctor


def _doctor(parsed: argparse.Namespace, chosen: settings.Settings) -> int:
    from rag.doctor import examine

    findings = examine(chosen)
    if parsed.json:
        _print_json({"settings": chosen, "findings": findings})
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
