"""The page's modules that need no browser, run by node: each file of tests/web/page/ is a test."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = sorted((Path(__file__).parent / "page").glob("*.test.js"))
NODE = shutil.which("node")
# The first that takes a `.js` file for the module it is.
OLDEST = (20, 19)


def _lack() -> str:
    """Why the tests cannot run here; empty where they can."""
    if NODE is None:
        return "there is no node"
    said = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", said)[:2])
    return "" if version >= OLDEST else f"node {said.strip()} is older than {OLDEST}"


LACK = _lack()


@pytest.mark.skipif(bool(LACK), reason=LACK)
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_modules(path: Path) -> None:
    assert NODE
    ran = subprocess.run([NODE, "--test", str(path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"^# pass [1-9]", ran.stdout, re.MULTILINE), ran.stdout
