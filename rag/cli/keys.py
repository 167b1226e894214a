"""`rag keys`."""

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rag import settings
from rag.cli.terminal import print_json
from rag.errors import QuestionError

if TYPE_CHECKING:
    from rag.keys import Key, Keys


def run(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag keys`: lists the keys, makes one and shows it this once, or ends one."""
    from rag.keys import Keys

    keys = Keys(chosen.keys)
    if parsed.action != "list" and not parsed.name:
        raise QuestionError("a key has a name", f"write it: rag keys {parsed.action} NAME")
    if parsed.action == "create":
        _create(parsed, keys)
    elif parsed.action == "revoke":
        _revoke(parsed, keys)
    else:
        _list(parsed, keys)


def _create(parsed: argparse.Namespace, keys: "Keys") -> None:
    token, key = keys.create(parsed.name, parsed.scope, parsed.days)
    if parsed.json:
        print_json({**_shown(key), "key": token})
    else:
        print(token)
        print(f"key {key.name}: {key.scope}, {_end(key)}; keep it, for it is shown only this once", file=sys.stderr)


def _revoke(parsed: argparse.Namespace, keys: "Keys") -> None:
    keys.revoke(parsed.name)
    left = "" if keys.all() else "; no key is left, and nobody can use the service until you make one (rag keys create NAME)"
    if parsed.json:
        print_json({"revoked": parsed.name})
    else:
        print(f"revoked {parsed.name}{left}", file=sys.stderr)


def _list(parsed: argparse.Namespace, keys: "Keys") -> None:
    if parsed.json:
        print_json([_shown(key) for key in keys.all()])
        return
    for key in keys.all():
        print(f"{key.name:24} {key.scope:7} {_end(key)}")


def _shown(key: "Key") -> dict[str, object]:
    """What may be seen of it."""
    expired = key.has_expired(datetime.now(UTC))
    return {"name": key.name, "scope": key.scope, "created": key.created, "expires": key.expires, "expired": expired}


def _end(key: "Key") -> str:
    if not key.expires:
        return "without end"
    return f"{'expired' if key.has_expired(datetime.now(UTC)) else 'until'} {key.expires[:10]}"
