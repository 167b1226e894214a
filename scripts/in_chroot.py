"""The Dockerfile where there is no container engine: every instruction carried out, in order, on real root file systems.

    mmdebstrap --variant=minbase --include=ca-certificates,netbase,tzdata,python3-venv bookworm BASE
    ln -s python3 BASE/usr/bin/python
    python -m scripts.in_chroot --build-arg WEIGHTS="..." BASE WORK rag doctor

As root, on Linux; BASE stands for the image of Python. Each stage is an overlay in WORK, and is kept: one that is there is
not made again. The command (or else CMD) runs in the last one as the image's user, without capabilities, read-only but for
`/tmp` and the volumes, which begin with what the image has there and are kept too. `--env` and `--bind` hand a variable and
a path of this machine to every step (a mirror, its certificates). The network is this machine's, and of Dockerfiles it
knows what ours says.
"""

import argparse
import ctypes
import json
import os
import shlex
import subprocess
import sys
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from scripts.dockerfile import ROOT, stages

_CLONE_NEWNS = 0x20000  # of Linux's sched.h; os.unshare comes with Python 3.12
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Image:
    """What a stage has said so far; its files are `layers`, the last one first, seen together at `root`."""

    root: Path
    layers: list[Path]
    env: dict[str, str] = field(default_factory=lambda: {"PATH": _PATH, "LANG": "C.UTF-8"})
    arguments: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0"
    volumes: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def at(self, path: str) -> Path:
        """A path of the image as one of this machine."""
        return self.root / str(Path(self.folder) / path).lstrip("/")


class Builder:
    """Makes the stages in `work` over `base`; steps see the variables `handed` and the paths `bound` of this machine."""

    def __init__(self, base: Path, work: Path, given: dict[str, str], handed: dict[str, str], bound: list[str]) -> None:
        self._work, self._given, self._handed, self._bound = work, given, handed, bound
        self._base = Image(base, [base])
        self._made: dict[str, Image] = {}

    def build(self) -> Image:
        """The image of the last stage."""
        for number, (beginning, *steps) in enumerate(stages()):
            below, _, name = beginning.said.partition(" AS ")
            name = name or str(number)
            image = self._made[name] = self._begun(self._made.get(below, self._base), name)
            finished = self._work / f"{name}.finished"
            for step in steps:
                if step.kind not in {"RUN", "COPY"}:
                    getattr(self, f"_{step.kind.lower()}")(image, step.said)
                elif not finished.exists():
                    sys.stderr.write(f"[{name}] {step.kind} {step.said}\n")
                    (self._run if step.kind == "RUN" else self._copy)(image, step.said)
            finished.touch()
        return image

    def start(self, image: Image, command: list[str]) -> int:
        """Run the command, or else the image's, as compose.yaml has it run; its exit code."""
        mounts = [f"mount --bind {image.root} {image.root}", *self._mounts(image), f"mount -o remount,bind,ro {image.root}"]
        for volume in image.volumes:
            kept = self._work / f"volume{volume.replace('/', '-')}"
            if not kept.exists():
                subprocess.run(["cp", "-a", image.at(volume), kept], check=True)
            mounts.append(f"mount --bind {kept} {image.at(volume)}")
        mounts.append(f"mount -t tmpfs -o size=512m,mode=1777 tmpfs {image.at('/tmp')}")
        limited = f"setpriv --reuid {image.user} --regid {image.user} --clear-groups --no-new-privs --bounding-set -all"
        home = f"export HOME=$(getent passwd {image.user} | cut -d: -f6)"
        return self._inside(image, mounts, f"{home}; exec {limited} {shlex.join(command or image.command)}")

    def _begun(self, below: Image, name: str) -> Image:
        top, scratch, root = (self._work / f"{name}.{what}" for what in ("layer", "scratch", "root"))
        for folder in (top, scratch, root):
            folder.mkdir(parents=True, exist_ok=True)
        options = f"lowerdir={':'.join(map(str, below.layers))},upperdir={top},workdir={scratch}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, root], check=True)
        image = deepcopy(below)
        image.root, image.layers = root, [top, *below.layers]
        return image

    def _arg(self, image: Image, said: str) -> None:
        name, has_default, default = said.partition("=")
        if has_default or name in self._given:
            image.arguments[name] = self._given.get(name, default.strip('"'))

    def _env(self, image: Image, said: str) -> None:
        pairs = [pair.partition("=") for pair in shlex.split(said)]
        image.env |= {name: Template(value).substitute(image.env) for name, _, value in pairs}

    def _workdir(self, image: Image, said: str) -> None:
        image.folder = said
        image.at(said).mkdir(parents=True, exist_ok=True)

    def _user(self, image: Image, said: str) -> None:
        image.user = said

    def _volume(self, image: Image, said: str) -> None:
        image.volumes = json.loads(said)

    def _cmd(self, image: Image, said: str) -> None:
        image.command = json.loads(said)

    def _expose(self, image: Image, said: str) -> None:
        """The ports are this machine's."""

    def _healthcheck(self, image: Image, said: str) -> None:
        """There is nobody to ask for it."""

    def _run(self, image: Image, said: str) -> None:
        if code := self._inside(image, self._mounts(image), said):
            raise SystemExit(f"exit {code} of: {said}")

    def _copy(self, image: Image, said: str) -> None:
        options = dict(word[2:].split("=") for word in said.split() if word.startswith("--"))
        *sources, target = [word for word in said.split() if not word.startswith("--")]
        origin = self._made[options["from"]].root if "from" in options else ROOT
        user, _, group = options.get("chown", "0:0").partition(":")
        # Owned by whom it says, and dated in whole seconds: a layer is a tar, too.
        packing = ["tar", f"--owner=:{user}", f"--group=:{group}", "--format=gnu"]
        packing += ["--exclude=__pycache__"] if origin == ROOT else []
        for source in sources:
            place, to = origin / source.lstrip("/"), image.at(target)
            to.mkdir(parents=True, exist_ok=True)
            what = ["-C", str(place), "."] if place.is_dir() else ["-C", str(place.parent), place.name]
            piped = f"{shlex.join([*packing, '-c', *what])} | tar --numeric-owner -C {to} -x"
            subprocess.run(["bash", "-o", "pipefail", "-c", piped], check=True)

    def _mounts(self, image: Image) -> list[str]:
        mounts = [f"mount -t {kind} -o ro none {image.at(at)}" for kind, at in (("proc", "/proc"), ("sysfs", "/sys"))]
        mounts.append(f"mount --rbind /dev {image.at('/dev')}")
        for path in ("/etc/resolv.conf", *self._bound):
            make = "mkdir -p" if Path(path).is_dir() else "install -D /dev/null"
            mounts.append(f"[ -e {image.at(path)} ] || {make} {image.at(path)}; mount --bind {path} {image.at(path)}")
        return mounts

    def _inside(self, image: Image, mounts: list[str], said: str) -> int:
        """The exit code of a shell's line, among processes and mounts of its own that end with it."""
        entered = shlex.join(["chroot", str(image.root), "/bin/sh", "-c", f"cd {image.folder} && {said}"])
        script = "\n".join(["set -e", *mounts, f"exec {entered}"])
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script]
        return subprocess.run(apart, env={**self._handed, **image.arguments, **image.env}, check=False).returncode


def _named(pairs: list[str]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in pairs)


def _apart() -> None:
    """Mounts of our own, of which none is left when we end."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS):
        raise SystemExit(f"no mounts of our own: {os.strerror(ctypes.get_errno())}; run it as root")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def main() -> int:
    """Build, then run; the exit code of what was run."""
    parser = argparse.ArgumentParser(description="Carry out the Dockerfile without a container engine.")
    for option in ("--build-arg", "--env", "--bind"):
        parser.add_argument(option, action="append", default=[])
    parser.add_argument("base", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    said = parser.parse_args()
    _apart()
    builder = Builder(said.base.resolve(), said.work.resolve(), _named(said.build_arg), _named(said.env), said.bind)
    return builder.start(builder.build(), said.command)


if __name__ == "__main__":
    sys.exit(main())
