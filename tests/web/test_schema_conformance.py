"""The service keeps to its schema, whatever is sent: schemathesis generates valid and invalid requests from it.

`--generated 2000` sends at least so many; a whole run of the tests sends fewer.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rag.engine import Engine
from rag.web.app import create
from rag.web.rebuilding import Rebuilds
from tests.web.conftest import Served, script
from tests.web.test_rebuilding import REPORT

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# Not checked: that all that fits the schema is accepted (a schema cannot say that a question has a letter, or how a document's
# name ends); that all else is refused (Litestar reads 0 as false); and that OPTIONS, which Litestar answers, names the methods
# of all handlers of a path.
NOT_ASKED = "positive_data_acceptance,negative_data_rejection,allow_header_conformance"


@pytest.fixture
def address(engine: Engine, tmp_path: Path) -> Iterator[str]:
    """The service, whose rebuilds are processes that only report that they did something."""
    rebuilds = Rebuilds(engine.settings, script(tmp_path / "idle.py", REPORT))
    with closing(Served(create(engine, rebuilds=rebuilds))) as served:
        yield served.url


def _sent(address: str, folder: Path, *options: str) -> dict[str, Any]:
    """The report of a run."""
    report = folder / "report.json"
    checks = ("--exclude-checks", NOT_ASKED, "--continue-on-failure", "--no-shrink", "--warnings", "off")
    command = (
        str(SCHEMATHESIS),
        "run",
        f"{address}/schema",
        *checks,
        "--report",
        "json",
        "--report-json-path",
        str(report),
        *options,
    )
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return dict(json.loads(report.read_text("utf-8")))


@pytest.mark.slow("sends some 400 requests")
def test_no_reply_is_a_failure_or_undocumented(
    address: str, tmp_path: Path, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted, sent, seed = pytestconfig.getoption("generated"), 0, 1
    while sent < wanted:
        report = _sent(address, tmp_path, "--seed", str(seed), "--max-examples", str(max(5, wanted // 20)))
        assert report["operations"]["tested"] == report["operations"]["total"] > 15
        sent, seed = sent + report["test_cases"]["generated"], seed + 1
    with capsys.disabled():
        sys.stdout.write(f"{sent} requests sent ")
