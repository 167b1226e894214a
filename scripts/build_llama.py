"""Builds llama-cpp-python's wheel for this processor, once, and prints the folder that has it.

    .venv/bin/python -m scripts.build_llama requirements.lock

`CMAKE_ARGS` is passed on (`-DGGML_CUDA=ON`). With `--portable` the wheel runs on any x86-64 processor with AVX2, or any ARM64.
A wheel is kept by version, processor and options, so projects, Pythons and machines of one kind share it.
"""

import argparse
import contextlib
import hashlib
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

from scripts.locked import lock

INJECTED = Path(__file__).with_name("llama.cmake")
# Neither the multimodal library nor llama.cpp's helpers for programs: 83 steps of the compiler in place of 193.
LEAN = ("-DLLAVA_BUILD=OFF", f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={INJECTED}")
_PORTABLE = ("-DGGML_NATIVE=OFF", *(f"-DGGML_{name}=ON" for name in ("AVX2", "FMA", "F16C", "BMI2")))
_PORTABLE_ELSEWHERE = ("-DGGML_NATIVE=OFF",)
# Seconds between two signs of life.
_REPORT = 20


def requirement(lockfile: Path) -> str:
    """The line of the lock file that pins llama-cpp-python."""
    return next(line for line in lockfile.read_text("utf-8").splitlines() if line.startswith("llama-cpp-python=="))


def options(*, portable: bool) -> list[str]:
    """CMake's options; the user's come last, so that they win."""
    chosen = (_PORTABLE if platform.machine() in {"x86_64", "AMD64"} else _PORTABLE_ELSEWHERE) if portable else ()
    return [*LEAN, *chosen, *shlex.split(os.environ.get("CMAKE_ARGS", ""))]


def processor() -> str:
    """The instructions of this processor, as the system names them. What is compiled for it runs where they are the same."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith(("flags", "Features")):
                return line
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        names = ["machdep.cpu.brand_string", "hw.optional"]
        return subprocess.run(["sysctl", *names], check=True, capture_output=True, text=True).stdout
    return platform.processor()


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def folder(pinned: str, *, portable: bool) -> Path:
    """Where the wheel of these options is kept."""
    version = pinned.partition("==")[2]
    kind = "portable" if portable else processor()
    # The injected file by its text: where the project lies must not matter.
    said = [o for o in options(portable=portable) if str(INJECTED) not in o]
    parts = (platform.system(), platform.machine(), kind, said, INJECTED.read_text("utf-8"))
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
    return _cache() / "wheels" / f"{version}-{digest}"


def _cache() -> Path:
    if named := os.environ.get("RAG_CACHE"):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rag"


def built(pinned: str, *, portable: bool) -> Path:
    """The folder with the wheel, which is built where it is not there yet. Ends the program where that fails."""
    kept = folder(pinned, portable=portable)
    kept.mkdir(parents=True, exist_ok=True)
    lock(str(kept / ".lock"), "another build of llama.cpp is at work; waiting for it")
    if not list(kept.glob("llama_cpp_python-*.whl")):
        _require_compiler()
        _say(f"building {pinned} for {'any such' if portable else 'this'} processor: some minutes on 2 cores, once")
        since = time.monotonic()
        with _scratch(kept) as scratch:
            _build(pinned, options(portable=portable), scratch)
            (wheel,) = scratch.glob("*.whl")
            wheel.rename(kept / wheel.name)
        _say(f"built in {time.monotonic() - since:.0f} s")
    return kept


def _require_compiler() -> None:
    for variable, names in (("CC", ("cc", "gcc", "clang")), ("CXX", ("c++", "g++", "clang++"))):
        if not os.environ.get(variable) and not any(map(shutil.which, names)):
            hint = "run: xcode-select --install" if sys.platform == "darwin" else "on Debian run: apt-get install gcc g++ make"
            _give_up(f"a compiler is missing ({' or '.join(names)}); {hint}")


@contextlib.contextmanager
def _scratch(kept: Path) -> Iterator[Path]:
    """A folder that is removed, also when the program is asked to end."""

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
    with tempfile.TemporaryDirectory(prefix=".building.", dir=kept) as path:
        yield Path(path)


def _build(pinned: str, chosen: list[str], scratch: Path) -> None:
    environment = {"CMAKE_BUILD_PARALLEL_LEVEL": str(cores())} | os.environ | {"CMAKE_ARGS": shlex.join(chosen)}
    command = [sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps", "--no-cache-dir"]
    command += ["--no-binary", "llama-cpp-python", "--verbose", "--wheel-dir", str(scratch), pinned]
    log = scratch / "log"
    with log.open("wb") as written:
        # A session of its own, so that the compilers end with it.
        child = subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT, env=environment, start_new_session=True)
        try:
            code = _wait(child, log)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)
            child.wait()
            raise
    if code:
        _say("\n".join(_text(log).splitlines()[-20:]))
        _give_up(f"the build of {pinned} failed; check the compiler and the network, then run the same command again")


def _wait(child: subprocess.Popen[bytes], log: Path) -> int:
    since = time.monotonic()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(_REPORT)
        steps = re.findall(r"^ *(\[\d+/\d+\])", _text(log), re.MULTILINE)
        _say(f"  {steps[-1] if steps else 'preparing'} after {time.monotonic() - since:.0f} s")


def _text(log: Path) -> str:
    return log.read_text("utf-8", errors="replace")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _give_up(line: str) -> NoReturn:
    _say(line)
    raise SystemExit(1)


def main() -> int:
    """Print the folder."""
    parser = argparse.ArgumentParser(description="Build llama-cpp-python's wheel once, and print the folder that has it.")
    parser.add_argument("--portable", action="store_true", help="for other processors of this kind, too")
    parser.add_argument("lockfile", type=Path)
    given = parser.parse_args()
    print(built(requirement(given.lockfile), portable=given.portable))
    return 0


if __name__ == "__main__":
    sys.exit(main())
