"""The Dockerfile and compose.yaml agree with the rest. Needs no container engine; hadolint checks their style."""

import json
import re
from functools import cache
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are a package more, for two calls

from rag.cli.main import _parser
from rag.settings import PREFIX, Settings
from rag.web.app import ROUTES
from rag.weights.catalogue import CATALOGUE
from scripts import build_llama
from scripts.dockerfile import ROOT, Step, stages
from scripts.in_chroot import Builder


def said(kind: str, steps: list[Step]) -> list[str]:
    return [step.said for step in steps if step.kind == kind]


def every(kind: str) -> list[str]:
    return [text for steps in stages() for text in said(kind, steps)]


@cache
def compose() -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    return value


def test_images_have_versions() -> None:
    (python,) = re.findall(r"^ARG PYTHON=(.+)$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert re.fullmatch(r"3\.11\.\d+-slim-\w+", python)
    assert {image.split()[0] for image in every("FROM")} == {"python:${PYTHON}", "build"}
    assert re.fullmatch(r"prom/prometheus:v\d+\.\d+\.\d+", compose()["services"]["prometheus"]["image"])


def test_what_is_copied_is_there_and_reaches_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split("\n")
    assert "*" in ignored
    copied = [words for text in every("COPY") if not (words := text.split())[0].startswith("--from")]
    for *sources, _target in copied:
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored, source
    assert {f"!{source}" for *sources, _ in copied for source in sources} == {line for line in ignored if line.startswith("!")}


def test_llama_cpp_is_built_without_the_parts_that_are_left_out_elsewhere() -> None:
    (arguments,) = re.findall(r'CMAKE_ARGS="([^"]+)"', " ".join(every("ENV")))
    injected = f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={build_llama.INJECTED}"
    assert {option for option in build_llama.LEAN if option != injected} <= set(arguments.split())
    folder = next(text for text in every("WORKDIR"))
    assert f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={folder}/{build_llama.INJECTED.name}" in arguments.split()


def test_what_is_copied_is_all_that_the_wheel_is_made_of() -> None:
    copied = {source for text in every("COPY") for source in text.split()[:-1]}
    packed = re.search(r"^include = (\[.*\])$", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert packed
    assert set(json.loads(packed[1])) <= copied


def test_torch_comes_from_its_own_index_and_from_no_other() -> None:
    """An index *more* that does not answer is only warned of: pip then takes the build with CUDA from the usual one."""
    (install,) = [run for run in every("RUN") if "requirements.lock" in run]
    torch, rest = [command for command in install.split(" && ") if "pip install" in command]
    assert '--no-deps --index-url "$TORCH_INDEX_URL"' in torch
    assert torch.endswith("\"$(grep '^torch==' requirements.lock)\"")
    assert "index" not in rest
    assert not any("EXTRA_INDEX" in step.said for steps in stages() for step in steps)
    pinned = re.findall(r"^torch==.*$", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE)
    # Without +cpu, which names the build and not the version: both that and an own mirror's fit it.
    assert re.fullmatch(r"torch==\d+\.\d+\.\d+", "\n".join(pinned))


def test_all_that_it_says_can_be_carried_out_without_an_engine() -> None:
    kinds = {step.kind for steps in stages() for step in steps} - {"FROM"}
    assert {kind for kind in kinds if not hasattr(Builder, f"_{kind.lower()}")} == set()


def test_the_image_that_runs_has_no_compiler_and_nobody_is_root_in_it() -> None:
    final = stages()[-1]
    (install,) = [run for run in said("RUN", final) if "apt-get install" in run]
    packages = re.search(r"--no-install-recommends ([^&]+)&&", install)
    assert packages
    assert packages[1].split() == ["libgomp1"]
    assert not any("pip install" in run for run in said("RUN", final))
    assert said("USER", final) == ["10001"]
    assert "useradd --uid 10001" in install
    last = [step.kind for step in final]
    assert last.index("USER") > max(i for i, kind in enumerate(last) if kind in {"RUN", "COPY"})


def test_whether_it_is_ready_is_asked_at_the_route_and_port_that_there_are() -> None:
    final = stages()[-1]
    (check,) = said("HEALTHCHECK", final)
    for option in ("--interval=", "--timeout=", "--start-period=", "--retries="):
        assert option in check
    command = json.loads(check[check.index("CMD ") + 4 :])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "HEALTHCHECK", "exec")
    (path,) = re.findall(r"'(/[a-z/]+)'", command[2])
    assert path in {path for route in ROUTES for path in route.paths}
    assert (said("EXPOSE", final), json.loads(said("CMD", final)[0])) == (["8000"], ["rag", "serve"])


def test_what_is_written_goes_to_the_volumes() -> None:
    final = stages()[-1]
    variables = dict(re.findall(r"(\w+)=(\S+)", " ".join(said("ENV", final))))
    ours = {name.removeprefix(PREFIX).lower(): value for name, value in variables.items() if name.startswith(PREFIX)}
    assert ours.keys() <= Settings.__dataclass_fields__.keys()
    volumes = json.loads(said("VOLUME", final)[0])
    assert [ours["home"], ours["cache"]] == volumes
    assert variables["HF_HOME"].startswith(ours["cache"])
    mounted = [volume.split(":")[1] for volume in compose()["services"]["rag"]["volumes"]]
    assert mounted == volumes
    assert {volume.split(":")[0] for volume in compose()["services"]["rag"]["volumes"]} <= compose()["volumes"].keys()


def test_the_weights_that_the_dockerfile_names_are_in_the_catalogue() -> None:
    (named,) = re.findall(r'--build-arg WEIGHTS="([^"]+)"', (ROOT / "Dockerfile").read_text("utf-8"))
    assert set(named.split()) <= CATALOGUE.keys()


def test_the_commands_that_compose_names_are_those_that_there_are() -> None:
    commands = re.findall(r"^# .* rag rag (.+?)(?: >|  |$)", (ROOT / "compose.yaml").read_text("utf-8"), re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        _parser().parse_args(command.split())


@pytest.mark.parametrize("name", ["rag", "prometheus"])
def test_a_service_may_write_nothing_and_has_no_rights_to_spare(name: str) -> None:
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "restart"} <= service.keys()
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_prometheus_asks_where_the_service_answers() -> None:
    services, (scraped,) = compose()["services"], yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())["scrape_configs"]
    assert scraped["metrics_path"] in {path for route in ROUTES for path in route.paths}
    assert scraped["static_configs"] == [{"targets": ["rag:8000"]}]
    (secret,) = services["prometheus"]["secrets"]
    assert scraped["authorization"] == {"credentials_file": f"/run/secrets/{secret}"}
    assert secret in compose()["secrets"]
    for volume in services["prometheus"]["volumes"]:
        source = volume.split(":")[0]
        assert (ROOT / source).is_file() if source.startswith(".") else source in compose()["volumes"]
