"""`rag models`."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rag import settings
from rag.cli.terminal import complain, print_json
from rag.errors import QuestionError
from rag.weights.catalogue import CATALOGUE, EMBEDDER, LLM, SHIPPED, Model, Shipped

if TYPE_CHECKING:
    from rag.weights.cache import FileState


def run(parsed: argparse.Namespace, chosen: settings.Settings) -> int:
    """`rag models`: 5 where weights are damaged."""
    from rag.weights import shipped
    from rag.weights.cache import WeightCache

    cache = WeightCache(chosen.cache)
    models = _named_models(parsed.names, chosen, everything=parsed.action != "fetch")
    if parsed.action == "fetch":
        _fetch(models, cache, quiet=parsed.json)
    states = [state for model in models for state in cache.states(model, hashing=parsed.action == "verify")]
    listed: list[Model | Shipped] = list(models)
    if parsed.action != "fetch" and not parsed.names:
        listed, states = [*listed, SHIPPED], [*states, shipped.state(SHIPPED)]
    if parsed.json:
        licences = {model.name: model.licence for model in listed}
        print_json([{**asdict(s), "licence": licences[s.model]} for s in states])
    elif parsed.action != "fetch":
        _print_states(listed, states)
        if chosen.endpoint and not parsed.names:
            print(f"{chosen.endpoint}: the endpoint that RAG_LLM names; its weights lie there")
    bad = {"damaged"} if parsed.action == "list" else {"damaged", "partial"}
    damaged = [state for state in states if state.state in bad]
    for state in damaged:
        mend = "install rag again" if state.model == SHIPPED.name else f"run `rag models fetch {state.model}`"
        complain(f"{state.path} is {state.state}; {mend}")
    return 5 if damaged else 0


def _named_models(names: Sequence[str], chosen: settings.Settings, *, everything: bool) -> list[Model]:
    """The models named; where none is, those that the settings use, or `everything` of the catalogue."""
    wanted = list(names) or (list(CATALOGUE) if everything else [n for n in chosen.models if n in CATALOGUE])
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


def _print_states(models: "Sequence[Model | Shipped]", states: "Sequence[FileState]") -> None:
    for model in models:
        default = " (default)" if model.name in (EMBEDDER, LLM) else ""
        print(f"{model.name}{default}: {model.about}; {model.licence}")
        for state in states:
            if state.model == model.name:
                print(f"  {state.state:8} {state.size / 1e6:7.1f} of {state.expected_size / 1e6:7.1f} MB  {state.path}")
                print(f"           sha256 {state.sha256}")
