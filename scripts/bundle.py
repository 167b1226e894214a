"""Writes one archive from which a machine of this kind without any network installs and answers: `make bundle`.

    .venv/bin/python -m scripts.bundle [--out dist] [MODEL...]
    tar xf rag-bundle-*.tar && cd rag-bundle-*/ && ./install && .venv/bin/rag ask "..."

It holds the locked packages as wheels, llama.cpp built for any such processor, the weights (the default models, or others),
`seeds/`, the lock file, the installer and the digests of them all. It fits the system, machine and Python version that made it.
"""

import argparse
import hashlib
import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag import __version__, settings
from rag.weights.cache import WeightCache
from rag.weights.catalogue import CATALOGUE, EMBEDDER, LLM
from scripts.build_llama import built, requirement

ROOT = Path(__file__).parent.parent
_LOCK = ROOT / "requirements.lock"
_INSTALLER = Path(__file__).with_name("bundle_install.sh")
_TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Target:
    """What a bundle is for: `system` and `machine` as uname prints them, `python` as 3.11."""

    system: str
    machine: str
    python: str

    @classmethod
    def here(cls) -> "Target":
        """The system, machine and Python that run this."""
        return cls(platform.system(), platform.machine(), f"{sys.version_info.major}.{sys.version_info.minor}")

    @property
    def name(self) -> str:
        """The name of its archive and of the folder in it."""
        return f"rag-bundle-{__version__}-{self.system.lower()}-{self.machine}-python{self.python}"


def pack(out: Path, files: Mapping[str, Path], target: Target) -> Path:
    """Write the archive of `files` (path in it: path here) with installer and digests into the folder `out`; its path.

    Nothing of that name is left where writing fails.
    """
    out.mkdir(parents=True, exist_ok=True)
    whole, unfinished = out / f"{target.name}.tar", out / f".{target.name}.tar"
    files = {"install": _INSTALLER, **files}
    try:
        with tarfile.open(unfinished, "w") as archive:
            _add(archive, f"{target.name}/BUILT_FOR", f"{target.python} {target.system} {target.machine}\n".encode())
            digests = "".join(f"{_digest(path)}  {name}\n" for name, path in files.items())
            _add(archive, f"{target.name}/SHA256SUMS", digests.encode())
            for name, path in files.items():
                archive.add(path, f"{target.name}/{name}", filter=_plain)
        unfinished.replace(whole)
    finally:
        unfinished.unlink(missing_ok=True)
    return whole


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    archive.addfile(member, io.BytesIO(content))


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without whose it was here."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.name.endswith("/install") else 0o644
    return member


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def wheels(folder: Path) -> None:
    """Everything that the lock file names, llama.cpp's wheel for any such processor and rag itself, as wheels in `folder`."""
    llama = built(requirement(_LOCK), portable=True)
    torch = next(line for line in _LOCK.read_text("utf-8").splitlines() if line.startswith("torch=="))
    index = os.environ.get("TORCH_INDEX_URL", _TORCH_INDEX)
    if platform.system() == "Linux":
        quick = ["--no-deps", "--retries", "0", "--timeout", "10", "--index-url", index]
        if _pip("download", "--dest", str(folder), *quick, torch, check=False):
            sys.stderr.write("torch's index of CPU builds does not answer; the bundle may carry CUDA too (gigabytes)\n")
    found = ["--wheel-dir", str(folder), "--find-links", str(folder), "--find-links", str(llama)]
    _pip("wheel", *found, "--requirement", str(_LOCK))
    _pip("wheel", "--wheel-dir", str(folder), "--no-deps", str(ROOT))


def _pip(action: str, *arguments: str, check: bool = True) -> int:
    command = [sys.executable, "-m", "pip", action, "--disable-pip-version-check", "--quiet", *arguments]
    return subprocess.run(command, check=check, stderr=None if check else subprocess.DEVNULL).returncode


def weights(names: Sequence[str], cache: WeightCache) -> Iterator[tuple[str, Path]]:
    """The weights' files, each under its path in the bundle. Raises RagError where one is missing or damaged."""
    for name in names:
        model = CATALOGUE[name]
        cache.require(model)
        for file in model.files:
            yield f"models/{name}/{file.name}", cache.path(model, file)


def _named(folder: str, paths: Iterator[Path]) -> Iterator[tuple[str, Path]]:
    return ((f"{folder}/{path.name}", path) for path in sorted(paths))


def main() -> int:
    """Make the bundle, and print its path and size."""
    parser = argparse.ArgumentParser(description="Write one archive that installs and answers without any network.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("models", nargs="*", default=[EMBEDDER, LLM], metavar="MODEL")
    given = parser.parse_args()
    if unknown := set(given.models) - CATALOGUE.keys():
        parser.error(f"no such model: {', '.join(unknown)}; known are {', '.join(CATALOGUE)}")
    with tempfile.TemporaryDirectory() as scratch:
        wheels(Path(scratch))
        files = {"requirements.lock": _LOCK, "LICENSE": ROOT / "LICENSE"}
        files |= _named("wheels", Path(scratch).glob("*.whl"))
        files |= weights(given.models, WeightCache(settings.load(os.environ, {}).cache))
        files |= _named("seeds", (ROOT / "seeds").glob("*"))
        whole = pack(given.out, files, Target.here())
    print(f"{whole} ({whole.stat().st_size / 1e6:.0f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
