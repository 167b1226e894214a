"""The commands that look after an installation: `rag models`, `rag keys` and `rag doctor`."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rag import settings
from rag.cli.terminal import bar, complain, print_json
from rag.errors import QuestionError
from rag.weights.catalogue import CATALOGUE, EMBEDDER, LLM, SHIPPED, Model, Shipped

if TYPE_CHECKING:
    from rag.keys import Key, Keys
    from rag.weights.cache import FileState


def models(parsed: argparse.Namespace, chosen: settings.Settings) -> int:
    """`rag models`: lists, downloads or verifies weights. Returns 5 if some are damaged."""
    from rag.weights import sources
    from rag.weights.cache import WeightCache

    cache = WeightCache(chosen.cache)
    named = _named_models(parsed.names, chosen, everything=parsed.action != "fetch")
    if parsed.action == "fetch":
        _fetch(named, cache, quiet=parsed.json)
    states = [state for model in named for state in cache.states(model, hashing=parsed.action == "verify")]
    listed: list[Model | Shipped] = list(named)
    if parsed.action != "fetch" and not parsed.names:
        listed, states = [*listed, SHIPPED], [*states, sources.state(SHIPPED)]
    if parsed.json:
        licences = {model.name: model.licence for model in listed}
        print_json([{**asdict(s), "licence": licences[s.model]} for s in states])
    elif parsed.action != "fetch":
        _print_states(listed, states)
        if chosen.endpoint and not parsed.names:
            print(f"{chosen.endpoint}: the endpoint of RAG_LLM; it has the weights of its model")
    bad = {"damaged"} if parsed.action == "list" else {"damaged", "partial"}
    damaged = [state for state in states if state.state in bad]
    for state in damaged:
        hint = "install rag again" if state.model == SHIPPED.name else f"run `rag models fetch {state.model}`"
        complain(f"{state.path} is {state.state}; {hint}")
    return 5 if damaged else 0


def _named_models(names: Sequence[str], chosen: settings.Settings, *, everything: bool) -> list[Model]:
    """The models of these names; if there are none, those that the settings use, or `everything` in the catalogue."""
    wanted = list(names) or (list(CATALOGUE) if everything else [n for n in chosen.models if n in CATALOGUE])
    for name in wanted:
        if name not in CATALOGUE:
            raise QuestionError(f"the catalogue has no model {name}", settings.nearest(name, CATALOGUE))
    return [CATALOGUE[name] for name in wanted]


def _fetch(models: Sequence[Model], cache: Any, *, quiet: bool) -> None:
    from rag.weights.fetch import fetch

    for model in models:
        meter = _FetchMeter(quiet=quiet)
        if fetch(model, cache, meter):
            meter.close()
            print(f"fetched and verified {model.name} ({model.size / 1e6:.0f} MB)", file=sys.stderr)


class _FetchMeter:
    """Progress of a download: a bar on a terminal, elsewhere a line for each tenth."""

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
        if self._bar is None or self._file != name:
            self.close()
            self._bar = bar(total=total, initial=done, unit="B", unit_scale=True, desc=name)
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


def keys(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag keys`: lists the keys, creates one and shows it once, or revokes one."""
    from rag.keys import Keys

    stored = Keys(chosen.keys)
    if parsed.action != "list" and not parsed.name:
        raise QuestionError(f"{parsed.action} needs the name of a key", f"run `rag keys {parsed.action} NAME`")
    if parsed.action == "create":
        _create(parsed, stored)
    elif parsed.action == "revoke":
        _revoke(parsed, stored)
    else:
        _list(parsed, stored)


def _create(parsed: argparse.Namespace, keys: "Keys") -> None:
    token, key = keys.create(parsed.name, parsed.scope, parsed.days)
    if parsed.json:
        print_json({**_shown(key), "key": token})
    else:
        print(token)
        print(f"key {key.name}: {key.scope}, {_expiry(key)}; keep it safe: it is not shown again", file=sys.stderr)


def _revoke(parsed: argparse.Namespace, keys: "Keys") -> None:
    keys.revoke(parsed.name)
    left = "" if keys.all() else "; no key is left: the service refuses every request until you run `rag keys create NAME`"
    if parsed.json:
        print_json({"revoked": parsed.name})
    else:
        print(f"revoked {parsed.name}{left}", file=sys.stderr)


def _list(parsed: argparse.Namespace, keys: "Keys") -> None:
    if parsed.json:
        print_json([_shown(key) for key in keys.all()])
        return
    for key in keys.all():
        print(f"{key.name:24} {key.scope:7} {_expiry(key)}")


def _shown(key: "Key") -> dict[str, object]:
    """The fields of a key that are printed."""
    expired = key.has_expired(datetime.now(UTC))
    return {"name": key.name, "scope": key.scope, "created": key.created, "expires": key.expires, "expired": expired}


def _expiry(key: "Key") -> str:
    if not key.expires:
        return "never expires"
    return f"{'expired' if key.has_expired(datetime.now(UTC)) else 'until'} {key.expires[:10]}"


def doctor(parsed: argparse.Namespace, chosen: settings.Settings) -> int:
    """`rag doctor`: prints the settings with their origins, and the findings. Returns 1 if there is something to fix."""
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
