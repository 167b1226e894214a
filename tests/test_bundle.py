"""The bundle's installer, on a bundle of small made-up wheels and weights; how llama.cpp's wheel and a Python are chosen."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from scripts import build_llama, locked
from scripts.bundle import ROOT, Target, pack

PROGRAM = """
import sys
from pathlib import Path

def run():
    print("rag", *sys.argv[1:])
    return 3 if sys.argv[1:] == ["index"] else 0
"""


def wheel_of(folder: Path, name: str, program: str = "") -> Path:
    """A wheel of one module, with a command where there is a program."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    about = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", program)
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        if program:
            wheel.writestr(f"{about}/entry_points.txt", f"[console_scripts]\n{name} = {name}:run\n")
        wheel.writestr(f"{about}/RECORD", "")
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("made")
    (made / "requirements.lock").write_text("# pins\nneeded==1.0\n")
    (made / "model.gguf").write_bytes(b"weights")
    files = {
        "requirements.lock": made / "requirements.lock",
        "wheels/needed.whl": wheel_of(made, "needed"),
        "wheels/rag.whl": wheel_of(made, "rag", PROGRAM),
        "models/small/model.gguf": made / "model.gguf",
    }
    # pip reads a wheel's name from its file.
    named = {str(Path(name).parent / path.name): path for name, path in files.items()}
    return pack(made / "out", named, Target.here())


@pytest.fixture
def unpacked(archive: Path, tmp_path: Path) -> Path:
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    return tmp_path / Target.here().name


def install(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RAG_", "XDG_", "PIP_", "PYTHON"))}
    environment |= {"HOME": str(folder.parent / "home"), "PYTHON": sys.executable} | variables
    return subprocess.run([folder / "install"], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow("installs a bundle")
def test_a_bundle_installs_its_wheels_and_weights_and_may_be_run_again(unpacked: Path, tmp_path: Path) -> None:
    done = install(unpacked)
    assert done.returncode == 0, done.stderr
    assert "rag index" in done.stdout.splitlines()
    asked = subprocess.run([unpacked / ".venv/bin/rag", "ask", "x"], capture_output=True, text=True, check=True, env={})
    assert asked.stdout == "rag ask x\n"
    subprocess.run([unpacked / ".venv/bin/python", "-c", "import needed"], check=True, env={})
    assert install(unpacked).returncode == 0
    assert install(unpacked, RAG_CACHE=str(tmp_path / "named")).returncode == 0
    for cache in (tmp_path / "home/.cache/rag", tmp_path / "named"):
        assert (cache / "models/small/model.gguf").read_bytes() == b"weights"


@pytest.mark.parametrize("change", ["damage", "removal"])
def test_a_damaged_or_missing_file_is_named_before_anything_is_installed(unpacked: Path, change: str) -> None:
    file = unpacked / "models/small/model.gguf"
    if change == "damage":
        file.write_bytes(b"Weights")
    else:
        file.unlink()
    done = install(unpacked)
    assert done.returncode == 1
    assert done.stderr.startswith("models/small/model.gguf ")
    assert "unpack the bundle again" in done.stderr
    assert not (unpacked / ".venv").exists()


@pytest.mark.parametrize(
    ("built_for", "said"),
    [
        (f"{Target.here().python} Plan9 mips", "this bundle is for Plan9 on mips"),
        (f"2.7 {Target.here().system} {Target.here().machine}", "this bundle needs Python 2.7"),
    ],
)
def test_another_machine_or_python_is_refused_with_a_line(unpacked: Path, built_for: str, said: str) -> None:
    (unpacked / "BUILT_FOR").write_text(f"{built_for}\n")
    done = install(unpacked)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(said)


def test_an_archive_that_cannot_be_finished_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        pack(tmp_path, {"wheels/x": tmp_path / "missing"}, Target.here())
    assert list(tmp_path.iterdir()) == []


def test_another_processor_or_other_options_have_a_wheel_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAG_CACHE", str(tmp_path))
    monkeypatch.delenv("CMAKE_ARGS", raising=False)

    def where(*, portable: bool = False) -> Path:
        return build_llama.folder("llama-cpp-python==1.2.3", portable=portable)

    plain = where()
    assert plain.parent == tmp_path / "wheels"
    assert plain.name.startswith("1.2.3-")
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_CUDA=ON")
    cuda = where()
    monkeypatch.delenv("CMAKE_ARGS")
    monkeypatch.setattr(build_llama, "processor", lambda: "flags: none")
    assert len({plain, cuda, where(), where(portable=True)}) == 4


def test_a_wheel_that_is_there_is_not_built_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAG_CACHE", str(tmp_path))
    pinned = build_llama.requirement(ROOT / "requirements.lock")
    there = build_llama.folder(pinned, portable=False)
    there.mkdir(parents=True)
    (there / "llama_cpp_python-0-py3-none-any.whl").touch()
    monkeypatch.setattr(build_llama, "_build", None)
    assert build_llama.built(pinned, portable=False) == there


def test_without_a_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAG_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(SystemExit):
        build_llama.built("llama-cpp-python==1.2.3", portable=False)


def test_a_processor_is_named_without_proc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sysctl").write_text("#!/bin/sh\necho A processor\n")
    (tmp_path / "sysctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(Path, "read_text", _absent)
    assert build_llama.processor() == "A processor\n"


def _absent(*_: object, **__: object) -> str:
    raise FileNotFoundError


def test_who_comes_second_says_so_and_waits(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    descriptor = locked.lock(str(file), "never said")
    command = [sys.executable, str(ROOT / "scripts/locked.py"), str(file), "waiting", "echo", "done"]
    second = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert second.stderr is not None
    assert second.stderr.readline() == "waiting\n"
    assert second.poll() is None
    os.close(descriptor)
    assert second.communicate(timeout=20)[0] == "done\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what the install script looks at, with a folder of stand-ins for Python."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements.lock", "requirements-dev.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (tmp_path / "bin").mkdir()
    return folder


# What a Mac has too, of what the script may call; flock, nproc, sha256sum and the like are not there.
_TOOLS = ("bash", "cat", "cp", "dirname", "env", "grep", "mkdir", "rm", "touch", "uname")
_STAND_IN = """#!/bin/bash
case "$1 $2" in
    -c\\ *) exec "{python}" -c "import sys; sys.version_info = {version}; $2" ;;
    scripts/locked.py\\ *) echo "chosen {name}"; exec "{python}" "$@" ;;
    "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
    "-m pip") [ "$3" = --version ] || echo "pip ${{*:5}}" ;;
    "-m scripts.build_llama") mkdir -p "$HOME/wheels$CMAKE_ARGS"; echo "$HOME/wheels$CMAKE_ARGS" ;;
esac
"""


def stand_in(project: Path, name: str, version: tuple[int, int]) -> None:
    """A Python of that version as far as the script looks, which says what pip is to do and does nothing."""
    path = project.parent / "bin" / name
    path.write_text(_STAND_IN.format(python=sys.executable, version=(*version, 0), name=name))
    path.chmod(0o755)


def run_install(project: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    for tool in _TOOLS:
        if not (link := project.parent / "bin" / tool).exists():
            link.symlink_to(str(shutil.which(tool)))
    environment = {"PATH": str(project.parent / "bin"), "HOME": str(project.parent)} | variables
    command = [str(project / "scripts/install"), "run"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("there", "variables", "chosen"),
    [
        ({"python3": (3, 12)}, {}, "python3"),
        ({"python3": (3, 9), "python3.11": (3, 11), "python3.13": (3, 13)}, {}, "python3.13"),
        (
            {"python3": (3, 15), "python3.14": (3, 14), "python3.13": (3, 9), "python3.12": (2, 7), "python3.11": (3, 1)},
            {},
            "python3.14",
        ),
        ({"python3": (3, 12), "mine": (3, 11)}, {"PYTHON": "mine"}, "mine"),
    ],
)
def test_a_supported_python_is_found(
    project: Path, there: dict[str, tuple[int, int]], variables: dict[str, str], chosen: str
) -> None:
    for name, version in there.items():
        stand_in(project, name, version)
    done = run_install(project, **variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"chosen {chosen}\n")


def test_packages_are_installed_once_and_again_when_the_build_of_llama_is_chosen_anew(project: Path) -> None:
    stand_in(project, "python3", (3, 13))
    first = run_install(project)
    assert first.returncode == 0, first.stderr
    asked = [line.removeprefix("pip install ") for line in first.stdout.splitlines() if line.startswith("pip ")]
    wheels = project.parent / "wheels"
    lines = (project / "requirements.lock").read_text("utf-8").splitlines()
    (pip,), (torch,) = ([line for line in lines if line.startswith(f"{name}==")] for name in ("pip", "torch"))
    assert asked[0] == pip
    assert asked[1].endswith(f"--index-url https://download.pytorch.org/whl/cpu {torch}")
    assert asked[2:] == [
        f"--no-deps --force-reinstall {wheels}/llama_cpp_python-*.whl",
        f"--requirement requirements.lock --find-links {wheels}",
        "--no-deps --editable .",
    ]
    assert "pip" not in run_install(project).stdout
    chosen = run_install(project, CMAKE_ARGS="-DGGML_CUDA=ON")
    assert f"--force-reinstall {wheels}-DGGML_CUDA=ON/" in chosen.stdout
    # It stays so until something else is chosen.
    assert "pip" not in run_install(project).stdout
    os.utime(project / "requirements.lock", (2**32, 2**32))
    again = run_install(project).stdout
    assert "pip" in again
    assert "--force-reinstall" not in again


def test_another_python_makes_the_environment_anew(project: Path) -> None:
    stand_in(project, "python3", (3, 11))
    stand_in(project, "other", (3, 13))
    assert run_install(project).returncode == 0
    again = run_install(project, PYTHON="other")
    assert "making .venv anew with Python 3.13" in again.stdout
    assert "pip" not in run_install(project, PYTHON="other").stdout


@pytest.mark.parametrize("variables", [{}, {"PYTHON": "mine"}])
def test_without_a_supported_python_one_line_says_what_is_needed(project: Path, variables: dict[str, str]) -> None:
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        stand_in(project, name, (3, 10))
    if variables:
        stand_in(project, "mine", (3, 10))
    done = run_install(project, **variables)
    name = variables.get("PYTHON", "python3")
    assert done.returncode == 1
    assert done.stderr == (
        f"rag needs Python 3.11 to 3.14, and {name} is 3.10; install one, or run: make PYTHON=/path/to/python3.13 ...\n"
    )
