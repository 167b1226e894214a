"""`rag models`, `rag keys` and `rag doctor` as a user sees them: real processes, real files, one line for an error."""

import json
import sys
from pathlib import Path

import pytest

from rag.cli.main import main
from rag.cli.upkeep_commands import _FetchMeter
from rag.keys import Keys
from rag.weights.catalogue import CATALOGUE, EMBEDDER, JUDGE, LLM, SHIPPED, SMALL_LLM, Model, Shipped
from tests.cli.test_main import assert_one_line, rag
from tests.cli.test_terminal import TerminalStream

MEGABYTE = 1_000_000


def test_a_failed_download_is_one_line(tmp_path: Path) -> None:
    result = rag("models", "fetch", RAG_CACHE=str(tmp_path), PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    assert result.returncode == 5
    assert "what was fetched is kept" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


@pytest.mark.slow("starts a process for each command")
def test_a_damaged_weight_file_is_reported(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "models" / EMBEDDER
    folder.mkdir(parents=True)
    (folder / "e5-small-q4.bin").write_bytes(b"rubbish")
    (folder / "tokenizer.json").write_bytes(b"{}")
    cache = str(tmp_path / "cache")
    assert_one_line(rag("index", RAG_HOME=str(home), RAG_CACHE=cache), 5, "does not have the digest", "rag models fetch")
    listed = rag("models", "verify", EMBEDDER, "--json", RAG_CACHE=cache)
    assert listed.returncode == 5
    assert {row["state"] for row in json.loads(listed.stdout)} == {"damaged"}


def test_models_lists_files_licences_and_digests(tmp_path: Path) -> None:
    rows = json.loads(rag("models", "--json", RAG_CACHE=str(tmp_path)).stdout)
    assert {row["model"] for row in rows} >= {EMBEDDER, SMALL_LLM}
    assert all(row["licence"] for row in rows)
    fetched = [row for row in rows if row["model"] != JUDGE]
    assert all(row["state"] == "missing" and len(row["sha256"]) == 64 for row in fetched)
    (judge,) = [row for row in rows if row["model"] == JUDGE]
    assert (Path(judge["path"]).name, judge["sha256"]) == (SHIPPED.file, SHIPPED.sha256)


@pytest.mark.slow("starts a process for each command")
def test_keys_are_created_listed_and_revoked(tmp_path: Path) -> None:
    home = {"RAG_HOME": str(tmp_path)}
    made = rag("keys", "create", "laptop", "--scope", "ingest", "--days", "30", **home)
    assert made.returncode == 0, made.stderr
    (token,) = made.stdout.splitlines()
    assert token.startswith("rag_")
    assert "key laptop: ingest, until " in made.stderr
    (key,) = json.loads(rag("keys", "list", "--json", **home).stdout)
    assert (key["name"], key["scope"], key["expired"]) == ("laptop", "ingest", False)
    assert "laptop" in rag("keys", **home).stdout
    assert_one_line(rag("keys", "create", "laptop", **home), 2, "there is a key laptop already")
    assert_one_line(rag("keys", "create", **home), 2, "create needs the name of a key; run `rag keys create NAME`")
    assert rag("keys", "revoke", "laptop", **home).returncode == 0
    assert_one_line(rag("keys", "revoke", "laptop", **home), 2, "rag keys list")
    for host in ("0.0.0.0", "::"):
        assert_one_line(rag("serve", "--host", host, **home), 2, "there are no keys; make one first: rag keys create")


def test_a_cache_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert_one_line(rag("models", "fetch", RAG_CACHE=str(tmp_path / "file" / "x")), 7, "RAG_CACHE")


def test_the_doctor_shows_the_origin_of_each_setting(home: Path) -> None:
    (home / "rag.toml").write_text("passages = 6")
    lines = rag("doctor", "--port", "8123", RAG_HOME=str(home)).stdout.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines[: lines.index("")]}
    assert rows["passages"] == ["6", str(home / "rag.toml")]
    assert (rows["home"], rows["port"]) == ([str(home), "RAG_HOME"], ["8123", "--port"])
    assert rows["host"] == ["127.0.0.1", "default"]


@pytest.mark.slow("starts a process for each command")
def test_the_doctor_prints_a_hint_for_each_problem(home: Path, tmp_path: Path) -> None:
    result = rag("doctor", RAG_HOME=str(home), RAG_CACHE=str(tmp_path / "none"))
    assert result.returncode == 1
    assert "FIX  index: there is no index" in result.stdout
    assert f"run `rag models fetch {EMBEDDER}`" in result.stdout
    assert json.loads(rag("doctor", "--json", RAG_HOME=str(home)).stdout)["settings"]["home"] == str(home)


def test_an_unknown_model_is_refused_with_the_nearest() -> None:
    assert_one_line(rag("models", "fetch", "gpt"), 2, "the catalogue has no model gpt; known are ", LLM)
    assert_one_line(rag("models", "verify", "judge-e5-smal"), 2, "the catalogue has no model judge-e5-smal; ")
    assert_one_line(rag("models", "list", EMBEDDER.replace("small", "smal")), 2, f"did you mean {EMBEDDER}?")


def test_an_unfinished_download_fails_verify_but_not_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "models" / EMBEDDER
    folder.mkdir(parents=True)
    (folder / "e5-small-q4.bin.partial").write_bytes(b"the first bytes")
    cache = ["--cache", str(tmp_path)]
    assert main(["models", "list", EMBEDDER, *cache]) == 0
    output = capsys.readouterr()
    assert f"{EMBEDDER} (default): " in output.out
    assert "  partial " in output.out
    assert "  missing " in output.out
    assert output.err == ""
    assert main(["models", "verify", EMBEDDER, *cache]) == 5
    assert capsys.readouterr().err.endswith(f"is partial; run `rag models fetch {EMBEDDER}`\n")


def test_the_table_of_models_has_every_model_and_the_endpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--cache", str(tmp_path), "--llm", "http://127.0.0.1:9/v1#tiny"]) == 0
    shown = capsys.readouterr().out
    listed: list[Model | Shipped] = [*CATALOGUE.values(), SHIPPED]
    for model in listed:
        assert f"{model.about}; {model.licence}\n" in shown
        assert f"sha256 {model.sha256}\n" in shown
    assert shown.endswith("http://127.0.0.1:9/v1#tiny: the endpoint of RAG_LLM; it has the weights of its model\n")


def test_a_download_is_a_bar_on_a_terminal_and_a_line_for_each_tenth_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def download(*, quiet: bool = False) -> None:
        meter = _FetchMeter(quiet=quiet)
        for done in range(0, 101, 5):
            meter("small", "weights.bin", done * MEGABYTE, 100 * MEGABYTE)
        meter.close()

    download()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert lines[1] == "fetching small/weights.bin: 10 of 100 MB"
    download(quiet=True)
    assert capsys.readouterr().err == ""
    terminal = TerminalStream()
    monkeypatch.setattr(sys, "stderr", terminal)
    download()
    assert "small/weights.bin: 100%" in terminal.getvalue()
    assert "\n" not in terminal.getvalue().rstrip("\n")


def test_keys_as_json_show_the_token_only_when_it_is_created(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path), "--json"]
    assert main(["keys", "create", "laptop", *home]) == 0
    made = json.loads(capsys.readouterr().out)
    found = Keys(tmp_path / "keys.json").find(made.pop("key"))
    assert found
    assert (made["name"], made["scope"], made["expires"], made["expired"]) == ("laptop", "read", "", False)
    assert main(["keys", "list", *home]) == 0
    assert json.loads(capsys.readouterr().out) == [made]
    assert main(["keys", "revoke", "laptop", *home]) == 0
    assert json.loads(capsys.readouterr().out) == {"revoked": "laptop"}


def test_keys_are_listed_with_their_expiry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = Keys(tmp_path / "keys.json")
    keys.create("server", "admin")
    keys.create("phone", "read", days=3)
    stored = json.loads((tmp_path / "keys.json").read_text())
    stored["keys"].append({**stored["keys"][0], "name": "old", "expires": "2020-01-02T00:00:00+00:00"})
    (tmp_path / "keys.json").write_text(json.dumps(stored))
    assert main(["keys", "--home", str(tmp_path)]) == 0
    old, phone, server = sorted(capsys.readouterr().out.splitlines())
    assert (old.split()[0], old.split()[2:]) == ("old", ["expired", "2020-01-02"])
    assert phone.split()[:3] == ["phone", "read", "until"]
    assert server.split() == ["server", "admin", "never", "expires"]


def test_revoking_the_last_key_says_that_the_service_is_closed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path)]
    for name in ("laptop", "phone"):
        assert main(["keys", "create", name, *home]) == 0
    capsys.readouterr()
    assert main(["keys", "revoke", "laptop", *home]) == 0
    assert capsys.readouterr().err == "revoked laptop\n"
    assert main(["keys", "revoke", "phone", *home]) == 0
    assert "no key is left: the service refuses every request" in capsys.readouterr().err


def test_the_doctor_returns_the_findings_as_json_with_the_same_exit_code(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--json", "--home", str(home), "--cache", str(tmp_path / "none")]) == 1
    value = json.loads(capsys.readouterr().out)
    assert set(value) == {"settings", "origins", "findings"}
    assert value["origins"]["cache"] == "--cache"
    (index,) = [finding for finding in value["findings"] if finding["subject"] == "index"]
    assert (index["well"], "run `rag index`" in index["hint"]) == (False, True)
