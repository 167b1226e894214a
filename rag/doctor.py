"""`rag doctor`: checks everything that an answer needs, and gives a hint for each problem. Changes nothing."""

import json
import os
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from rag import address, processor
from rag.answering import prompt
from rag.answering.local import store
from rag.embedding import backend
from rag.errors import RagError
from rag.indexing import build_cache
from rag.indexing.protocol import Index
from rag.ingestion import seeds_folder
from rag.models import open_index
from rag.settings import BOTH_JUDGES, Settings
from rag.weights import sources
from rag.weights.cache import WeightCache
from rag.weights.catalogue import CATALOGUE, LLM, REFUSING, SHIPPED

# Below this the language model and its context do not fit beside the embedder (1.1 GB of weights, 0.5 GB of
# embedder, the libraries and the context).
_LEAST_MEMORY = 3e9
# And this where the language model is at an endpoint.
_LEAST_MEMORY_WITHOUT = 1.5e9
_LEAST_DISK = 1e9
_PROCESSOR = Path("/proc/cpuinfo")
# Files with the memory limit of a container in bytes, in both versions of Linux's control groups; without one, they say "max"
# or a huge number.
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# Instruction sets that OpenVINO and llama.cpp use, by their names in Linux on x86 and on ARM.
_INSTRUCTIONS = (
    *("avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve"),
)
# Without one of these there is no useful vector arithmetic.
_LEAST_INSTRUCTIONS = {"avx2", "asimd"}
# Seconds in which a service on the port has to answer that it is rag.
_PATIENCE = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing examined. `hint` says how to fix it if it is not `well`."""

    subject: str
    well: bool
    state: str
    hint: str = ""


def examine(settings: Settings) -> list[Finding]:
    """All findings, in the order in which a new user would meet the problems."""
    cache, index = WeightCache(settings.cache), open_index(settings)
    findings = [_disk(settings.home), _disk(settings.cache), _memory(settings), *_processor(_PROCESSOR), _port(settings)]
    findings += [_weights(name, cache) for name in settings.models]
    findings += [_judge(settings), *_endpoint(settings), *_gpu(settings)]
    findings += [_arithmetic(settings)]
    findings += [_store(settings)]
    findings += [_tried("prompts", lambda: prompt.load(settings.home).digest[:12])]
    findings += [_tried("seeds", lambda: f"{len(seeds_folder.find(settings.seeds).paths)} documents in {settings.seeds}")]
    findings += [_tried("index", lambda: _index_state(index)), *_leftovers(settings, index)]
    return findings


def _tried(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, well=True, state=look())
    except RagError as error:
        return Finding(subject, well=False, state=error.problem, hint=error.hint)


def _disk(folder: Path) -> Finding:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    state = f"{free / 1e9:.1f} GB free in {folder}"
    if not os.access(existing, os.W_OK):
        return Finding(
            "disk",
            well=False,
            state=f"{existing} cannot be written",
            hint="get write permission, or set RAG_HOME and RAG_CACHE",
        )
    return Finding(
        "disk", well=free >= _LEAST_DISK, state=state, hint="free some space, or set RAG_HOME and RAG_CACHE elsewhere"
    )


def _memory(settings: Settings) -> Finding:
    total = _memory_bytes(_LIMITS)
    state = f"{total / 1e9:.1f} GB"
    if settings.endpoint:
        return Finding("memory", well=total >= _LEAST_MEMORY_WITHOUT, state=state, hint="use a machine that has 1.5 GB")
    return Finding("memory", well=total >= _LEAST_MEMORY, state=state, hint="set RAG_LLM to the small model (`rag models`)")


def _memory_bytes(limits: Iterable[Path]) -> int:
    """The memory of this machine in bytes, or the limit of the container."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in limits:
        with suppress(OSError, ValueError):
            total = min(total, int(limit.read_text("utf-8")))
    return total


def _processor(described: Path) -> Iterator[Finding]:
    """The instruction sets of the processor, if the system lists them."""
    try:
        lines = [line.partition(":") for line in described.read_text("utf-8", errors="replace").splitlines()]
    except OSError:
        return
    words = next((set(value.split()) for key, _, value in lines if key.strip() in {"flags", "Features"}), set())
    has = [name for name in _INSTRUCTIONS if name in words]
    state = f"{platform.machine()}, {processor.cores()} threads: {' '.join(has) or 'no vector instructions that are known'}"
    well = bool(_LEAST_INSTRUCTIONS & set(has))
    yield Finding("processor", well=well, state=state, hint="use one with AVX2; answers take minutes on this one")


def _port(settings: Settings) -> Finding:
    name = address.shown(settings.host, settings.port)
    if address.is_free(settings.host, settings.port):
        return Finding("port", well=True, state=f"{name} is free")
    if version := _serving(settings):
        return Finding("port", well=True, state=f"rag {version} serves at {name}")
    return Finding("port", well=False, state=f"{name} is taken", hint="end what has it, or set RAG_PORT to another")


def _serving(settings: Settings) -> str:
    """The version of the rag service on the port; empty if something else uses it."""
    connection = HTTPConnection(settings.host, settings.port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/health/live")
        return str(json.loads(connection.getresponse().read(1000))["version"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return ""
    finally:
        connection.close()


def _weights(name: str, cache: WeightCache) -> Finding:
    model = CATALOGUE.get(name)
    if model is None:
        return Finding("weights", well=True, state=f"{name} is not of the catalogue")

    def look() -> str:
        cache.require(model)
        return f"{name} is present"

    return _tried("weights", look)


def _judge(settings: Settings) -> Finding:
    if not settings.uses_ours:
        return Finding("judge", well=True, state=f"{settings.judge} instead of our own")
    return _tried("judge", lambda: f"{sources.require(SHIPPED).name} is whole; {_refusing(settings)}")


def _refusing(settings: Settings) -> str:
    """The threshold; for the default one with the default judge, its measurements too."""
    under = f"answers under {settings.min_confidence} are refused"
    known = REFUSING
    if (settings.judge, settings.llm, settings.min_confidence) != (BOTH_JUDGES, LLM, known.value):
        return under
    shares = f"{known.precision:.0%} of refusals were right, {known.recall:.0%} of what nothing answers was refused"
    return f"{under}: {shares}, and {known.answerable_refused:.0%} of the rest ({known.data})"


def _endpoint(settings: Settings) -> Iterator[Finding]:
    """A tiny question to the endpoint, if the settings name one. Nothing else here leaves the machine."""
    endpoint = settings.endpoint
    if endpoint is None:
        return

    def look() -> str:
        from rag.answering.endpoint import remote

        prompts, key = prompt.load(settings.home), settings.llm_key.reveal()
        reader = remote.open_endpoint(endpoint, prompts, key=key, answer_tokens=settings.answer_tokens)
        try:
            verdicts = "with probabilities" if reader.gives_probabilities() else "by its yes or no, without probabilities"
        finally:
            reader.close()
        away = "" if endpoint.local else f"; questions and passages go to {endpoint.host}"
        return f"{reader.name} answers, and judges {verdicts}{away}"

    yield _tried("endpoint", look)


def _gpu(settings: Settings) -> Iterator[Finding]:
    """Where llama.cpp computes, unless the language model is at an endpoint."""
    if settings.endpoint:
        return
    from rag.answering.local import model

    wanted, able = settings.most_gpu_layers, model.offload(None)
    if not able.layers:
        hint = "build llama-cpp-python for your GPU, or set RAG_GPU_LAYERS to auto"
        yield Finding("gpu", well=not wanted, state="llama.cpp sees none: the language model runs on the processor", hint=hint)
    elif wanted == 0:
        yield Finding("gpu", well=True, state=f"not used, by RAG_GPU_LAYERS: {', '.join(able.devices)}")
    else:
        yield Finding("gpu", well=True, state=f"language model: {model.offload(wanted)}")


def _arithmetic(settings: Settings) -> Finding:
    """The arithmetic of the embedder, which is not loaded for it."""
    model = CATALOGUE.get(settings.embedder)
    choice = backend.remembered(model.sha256, settings.cache) if model else None
    return Finding("embedding", well=True, state=str(choice) if choice else "the fastest way is chosen when it is first needed")


def _store(settings: Settings) -> Finding:
    """The size of the passage store. All of it may be removed at any time."""
    used = store.usage(settings.store)
    state = f"{used.entries} passages, {used.size / 1e6:.0f} of {settings.store_mb} MB in {settings.store}"
    return Finding("store", well=True, state=state if settings.store_mb else f"off; {state}")


def _index_state(index: Index) -> str:
    manifest = index.manifest()
    made = f"made {manifest.created} with {manifest.maker.embedder}"
    sizes = f"{manifest.documents} documents, {manifest.chunks} chunks"
    return f"{sizes}, {index.described()}, {made}; `rag index --verify` reads every byte"


def _leftovers(settings: Settings, index: Index) -> Iterator[Finding]:
    """Leftovers of killed commands. They are harmless, and removed by the next run of the same command."""
    if index.interrupted() or build_cache.left(index.scratch):
        state = "a build is under way or was killed; the last good index serves, and what was embedded is kept"
        yield Finding("index", well=False, state=state, hint="run `rag index`")
    for path in sorted(settings.cache.glob("models/*/.download-*")):
        yield Finding("weights", well=False, state=f"a fetch was killed and left {path}", hint="run `rag models fetch`")
