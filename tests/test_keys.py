import json
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rag import keys as keys_module
from rag.errors import KeysDamaged, NotFound, QuestionError
from rag.keys import Keys


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys.json")


def test_a_key_is_found_by_itself_and_by_nothing_else(keys: Keys) -> None:
    token, key = keys.create("laptop", "ingest")
    assert token.startswith("rag_")
    assert len(token) == 4 + 43
    assert keys.find(token) == key
    for other in ("", "rag_", token[:-1], token + "x", token.upper(), key.sha256, "\ud800", "x" * 100_000):
        assert keys.find(other) is None


def test_what_is_kept_tells_no_key_and_is_for_its_owner_alone(keys: Keys, tmp_path: Path) -> None:
    token, _ = keys.create("laptop", "read")
    kept = tmp_path / "keys.json"
    assert token not in kept.read_text()
    assert token.removeprefix("rag_") not in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    keys.create("phone", "read")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_another_process_sees_what_is_created_and_revoked(keys: Keys, tmp_path: Path) -> None:
    other = Keys(tmp_path / "keys.json")
    assert (other.exist, other.all()) == (False, ())
    token, key = keys.create("laptop", "read")
    assert (other.exist, other.find(token)) == (True, key)
    keys.revoke("laptop")
    assert other.find(token) is None
    # No key is left, and still it is not as if there never had been one.
    assert (other.exist, other.all()) == (True, ())


def test_keys_made_at_once_are_all_kept(tmp_path: Path) -> None:
    def make(number: int) -> None:
        Keys(tmp_path / "keys.json").create(f"k{number}", "read")

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [key.name for key in Keys(tmp_path / "keys.json").all()] == [f"k{number}" for number in range(8)]


@pytest.mark.parametrize(
    ("scope", "scopes"), [("read", ("read",)), ("ingest", ("read", "ingest")), ("admin", ("read", "ingest", "admin"))]
)
def test_each_scope_has_those_before_it(keys: Keys, scope: keys_module.Scope, scopes: tuple[str, ...]) -> None:
    assert keys.create("laptop", scope)[1].scopes == scopes


def test_a_key_ends_when_its_days_are_over(keys: Keys) -> None:
    _, key = keys.create("laptop", "read", days=2)
    made = datetime.fromisoformat(key.created)
    assert not key.has_expired(made + timedelta(days=2, seconds=-1))
    assert key.has_expired(made + timedelta(days=2))
    assert not keys.create("server", "read")[1].has_expired(datetime.max.replace(tzinfo=UTC))


def test_every_digest_is_compared_in_constant_time(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = [keys.create(name, "read")[0] for name in ("a", "b", "c")]
    compared: list[str] = []

    def compare(one: str, other: str) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr(keys_module, "compare_digest", compare)
    for token in (tokens[0], "rag_none"):
        compared.clear()
        keys.find(token)
        assert compared == [key.sha256 for key in keys.all()]


@pytest.mark.parametrize("name", ["", " ", "a b", "../x", "/x", "-x", ".x", "x" * 65, "é", "a\n", "\x1b[31m"])
def test_a_name_that_is_none_is_refused(keys: Keys, name: str) -> None:
    with pytest.raises(QuestionError, match="is not a valid key name; use up to 64 letters"):
        keys.create(name, "read")
    assert not keys.exist


@pytest.mark.parametrize("days", [0, -1, 36_501])
def test_a_key_lasts_some_days(keys: Keys, days: int) -> None:
    with pytest.raises(QuestionError, match="give --days 1 to"):
        keys.create("laptop", "read", days)


def test_a_name_is_given_once_and_only_what_is_there_is_revoked(keys: Keys) -> None:
    keys.create("laptop", "read")
    with pytest.raises(QuestionError, match="run `rag keys revoke laptop`"):
        keys.create("laptop", "admin")
    with pytest.raises(NotFound, match="choose one of `rag keys list`"):
        keys.revoke("phone")
    assert [key.scope for key in keys.all()] == ["read"]


GOOD = {"name": "a", "scope": "read", "sha256": "0" * 64, "created": "2026-01-01T00:00:00+00:00", "expires": ""}


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\xff",
        b"{}",
        b'{"format": 2, "keys": []}',
        json.dumps({"format": 1, "keys": [{**GOOD, "scope": "all"}]}).encode(),
        json.dumps({"format": 1, "keys": [{**GOOD, "sha256": "é" * 64}]}).encode(),
        json.dumps({"format": 1, "keys": [{**GOOD, "expires": "soon"}]}).encode(),
        json.dumps({"format": 1, "keys": [{**GOOD, "expires": "2030-01-01"}]}).encode(),
    ],
)
def test_a_damaged_file_lets_nobody_in(keys: Keys, tmp_path: Path, said: bytes) -> None:
    token, _ = keys.create("laptop", "read")
    (tmp_path / "keys.json").write_bytes(said)
    assert keys.exist
    for act in (lambda: keys.find(token), lambda: keys.create("b", "read"), lambda: keys.revoke("laptop")):
        with pytest.raises(KeysDamaged, match="create new ones: rag keys create NAME"):
            act()
    assert (tmp_path / "keys.json").read_bytes() == said


def test_a_whole_file_is_read(keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"format": 1, "keys": [GOOD]}))
    assert [key.name for key in keys.all()] == ["a"]
