"""The wheel, built through the sdist as users get it, answers from another folder with the prompts it carries."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rag.weights.catalogue import SMALL_LLM

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, out = tmp_path_factory.mktemp("source") / "rag", tmp_path_factory.mktemp("dist")
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "index", "dist", "benchmarks", "tests")
    shutil.copytree(ROOT, source, ignore=unwanted)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    assert len(list(out.glob("*.tar.gz"))) == 1
    return next(out.glob("*.whl"))


def test_the_wheel_carries_every_prompt_and_the_page_and_nothing_from_elsewhere(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    prompts = {
        f"rag/prompts/{p.relative_to(ROOT / 'prompts').as_posix()}" for p in (ROOT / "prompts").rglob("*") if p.is_file()
    }
    page = {path.relative_to(ROOT).as_posix() for path in (ROOT / "rag" / "web" / "static").rglob("*") if path.is_file()}
    assert prompts | page <= names
    assert all(name.startswith(("rag/", "rag-")) for name in names)


@pytest.mark.real
def test_an_installed_copy_answers_in_another_folder(wheel: Path, tmp_path: Path) -> None:
    site, home = tmp_path / "site", tmp_path / "elsewhere"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run(command, check=True, capture_output=True)
    (home / "seeds").mkdir(parents=True)
    shutil.copy(next((ROOT / "seeds").glob("*.txt")), home / "seeds")
    environment = {**os.environ, "PYTHONPATH": str(site), "RAG_LLM": SMALL_LLM}
    environment.pop("RAG_HOME", None)

    def rag(*arguments: str) -> str:
        command = [sys.executable, "-m", "rag", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=home, env=environment).stdout

    where = subprocess.run(
        [sys.executable, "-c", "import rag; print(rag.__file__)"],
        check=True,
        capture_output=True,
        text=True,
        cwd=home,
        env=environment,
    )
    assert where.stdout.startswith(str(site))
    rag("index")
    answer = json.loads(rag("ask", "Siapa Kepala Staf Angkatan Bersenjata Iran?", "--min-confidence", "0", "--json"))
    assert answer["citations"]
    assert (home / "index" / "current").exists()
