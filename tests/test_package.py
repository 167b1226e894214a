"""The wheel, built through the sdist as users get it, answers from another folder with the prompts it carries."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path
from venv import EnvBuilder

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from rag.weights.catalogue import SHIPPED, SMALL_LLM
from scripts import build_llama

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
QUESTION = "Siapa Kepala Staf Angkatan Bersenjata Iran?"
# The README's, with a line for each of answer and citation.
EXAMPLE = f"""
import rag

with rag.open(".", min_confidence=0.0) as docs:
    docs.rebuild()
    answer = docs.ask({QUESTION!r})
    print(" ".join(answer.text.split()))
    print(answer.citations[0].text)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, out = tmp_path_factory.mktemp("source") / "rag", tmp_path_factory.mktemp("dist")
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "index", "dist", "benchmarks", "tests")
    shutil.copytree(ROOT, source, ignore=unwanted)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    assert len(list(out.glob("*.tar.gz"))) == 1
    return next(out.glob("*.whl"))


def test_the_wheel_carries_all_of_the_package_and_every_prompt_and_nothing_from_elsewhere(wheel: Path) -> None:
    """Also what no import would miss: `py.typed`, the page, the judge's weights."""
    names = set(zipfile.ZipFile(wheel).namelist())
    prompts = {
        f"rag/prompts/{p.relative_to(ROOT / 'prompts').as_posix()}" for p in (ROOT / "prompts").rglob("*") if p.is_file()
    }
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "rag").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"rag/py.typed", f"rag/weights/{SHIPPED.file}"} <= package
    assert any(name.startswith("rag/web/static/") for name in package)
    assert names - package - prompts == {name for name in names if name.startswith("rag-")}
    assert prompts | package <= names


def test_what_the_wheel_declares_is_what_the_lock_file_pins(wheel: Path) -> None:
    """Each requirement holds for its pin, so that what is tested is what a user's resolver may choose."""
    with zipfile.ZipFile(wheel) as opened:
        (metadata,) = [name for name in opened.namelist() if name.endswith(".dist-info/METADATA")]
        declared = HeaderParser().parsestr(opened.read(metadata).decode())
    pins = [line.split(";")[0].strip() for line in LOCK.read_text("utf-8").splitlines() if not line.startswith("#")]
    pinned = {canonicalize_name(name): version for name, version in (pin.split("==") for pin in pins)}
    requirements = [Requirement(text) for text in declared.get_all("Requires-Dist", [])]
    needed = [requirement for requirement in requirements if not (requirement.marker and "extra" in str(requirement.marker))]
    assert len(needed) > 20
    for requirement in needed:
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement
    assert SpecifierSet(declared["Requires-Python"]) == SpecifierSet(">=3.11,<3.15")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The programs of an empty environment with the wheel and what it declares, as a user's pip resolves it.

    Only llama.cpp is not compiled again, and torch is of the lock file's version, whose CPU build may be at hand: the newest of
    the usual index brings gigabytes of CUDA.
    """
    folder = tmp_path_factory.mktemp("environment")
    EnvBuilder(with_pip=True, symlinks=True).create(folder)
    llama = build_llama.built(build_llama.requirement(LOCK), portable=False)
    pins = folder / "constraints"
    pins.write_text(
        "".join(line + "\n" for line in LOCK.read_text("utf-8").splitlines() if line.startswith(("torch", "llama")))
    )
    command = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--prefer-binary"]
    command += ["--find-links", str(llama), "--constraint", str(pins), str(wheel)]
    done = subprocess.run(command, env=clean(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    yield folder / "bin"
    # Over a gigabyte, which pytest would keep for three runs.
    shutil.rmtree(folder)


def clean(**variables: str) -> dict[str, str]:
    """This process's environment without the path to this copy of the project, and with the small language model."""
    left = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "RAG_HOME", "VIRTUAL_ENV"}}
    return left | {"RAG_LLM": SMALL_LLM} | variables


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with one document, and nothing of the project."""
    (tmp_path / "seeds").mkdir()
    shutil.copy(next((ROOT / "seeds").glob("*.txt")), tmp_path / "seeds")
    return tmp_path


@pytest.mark.real
def test_an_installed_copy_answers_in_another_folder(installed: Path, home: Path) -> None:
    def run(program: str, *arguments: str) -> str:
        done = subprocess.run(
            [installed / program, *arguments], capture_output=True, text=True, cwd=home, env=clean(), check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("python", "-c", "import rag; print(rag.__file__)").startswith(str(installed.parent))
    assert run("python", "-m", "pip", "check").strip() == "No broken requirements found."
    run("rag", "index")
    answer = json.loads(run("rag", "ask", QUESTION, "--min-confidence", "0", "--json"))
    assert answer["citations"]
    assert (home / "index" / "current").exists()


@pytest.mark.real
def test_the_python_interface_of_an_installed_copy_answers(installed: Path, home: Path) -> None:
    done = subprocess.run(
        [installed / "python", "-c", EXAMPLE], capture_output=True, text=True, cwd=home, env=clean(), check=False
    )
    assert done.returncode == 0, done.stderr
    text, citation = done.stdout.splitlines()
    assert text
    assert citation in (home / "seeds").joinpath(next((ROOT / "seeds").glob("*.txt")).name).read_text("utf-8")
