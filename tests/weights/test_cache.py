import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from rag.errors import StorageError, WeightsDamaged, WeightsMissing
from rag.weights import e5
from rag.weights.cache import WeightCache, partial_path
from rag.weights.catalogue import E5_TOKENIZER, E5_WEIGHTS, Model, Part, WeightFile
from tests.weights.test_e5 import WHOLE


def model_of(files: dict[str, bytes]) -> Model:
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    made = tuple(
        WeightFile(name, digests[name], (Part("p", "1", "m", len(content), digests[name]),)) for name, content in files.items()
    )
    return Model("tiny", "llm", "MIT", "a model of a few bytes", made)


TINY = {"model.bin": b"bobot model", "kosa-kata.json": b"{}"}
EMBEDDER = {E5_WEIGHTS: WHOLE.raw, E5_TOKENIZER: b'{"version": "1.0"}'}


def fill(cache: WeightCache, model: Model, files: dict[str, bytes]) -> None:
    cache.folder(model).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (cache.folder(model) / name).write_bytes(content)


def change(path: Path, content: bytes) -> None:
    """Write, and be sure that the time of change is another, whatever the disk's clock."""
    before = path.stat().st_mtime_ns
    path.write_bytes(content)
    os.utime(path, ns=(before, before + 10**9))


def damage(path: Path) -> None:
    """As many bytes, but others."""
    change(path, bytes(byte ^ 1 for byte in path.read_bytes()))


@pytest.fixture
def cache(tmp_path):
    return WeightCache(tmp_path / "cache")


@pytest.fixture
def model():
    return model_of(TINY)


@pytest.fixture
def filled(cache, model):
    fill(cache, model, TINY)
    return cache


@pytest.fixture
def weights(filled, model):
    return filled.path(model, model.files[0])


def states(cache: WeightCache, model: Model, *, hashing: bool = False) -> list[str]:
    return [file.state for file in cache.states(model, hashing=hashing)]


def test_require_gives_the_path_of_the_weights(filled, model, weights):
    assert filled.require(model) == weights == filled.root / "models" / "tiny" / "model.bin"


def test_what_was_found_right_is_stamped(filled, model, weights):
    assert not filled.is_stamped(weights, model.sha256)
    filled.require(model)
    assert filled.is_stamped(weights, model.sha256)
    assert not filled.is_stamped(weights, "0" * 64)


@pytest.mark.parametrize("name", TINY)
def test_a_missing_file_is_named_with_the_command_that_brings_it(filled, model, name):
    (filled.folder(model) / name).unlink()
    with pytest.raises(WeightsMissing, match=r"the weights of tiny are not in .*; run `rag models fetch tiny`$"):
        filled.require(model)


def test_a_cache_that_does_not_exist_misses_the_weights_and_is_not_made(cache, model):
    with pytest.raises(WeightsMissing):
        cache.require(model)
    assert states(cache, model) == ["missing", "missing"]
    assert not cache.root.exists()


@pytest.mark.parametrize("content", [b"Bobot model", b"bobot", b""])
def test_other_bytes_are_damaged_and_the_error_says_what_replaces_them(filled, model, weights, content):
    weights.write_bytes(content)
    with pytest.raises(WeightsDamaged, match=r"model.bin does not have the digest .*; run `rag models fetch tiny`"):
        filled.require(model)
    assert not filled.is_stamped(weights, model.sha256)


def test_a_file_changed_after_it_was_stamped_is_noticed(filled, model, weights):
    filled.require(model)
    damage(weights)
    with pytest.raises(WeightsDamaged):
        filled.require(model)
    assert list(filled.folder(model).glob("model.bin.*")) == []


def test_a_file_touched_but_not_changed_is_hashed_again_and_right(filled, model, weights):
    filled.require(model)
    change(weights, TINY["model.bin"])
    assert not filled.is_stamped(weights, model.sha256)
    filled.require(model)
    assert filled.is_stamped(weights, model.sha256)


def test_only_hashing_sees_a_change_that_kept_size_and_time(filled, model, weights):
    filled.require(model)
    time = weights.stat().st_mtime_ns
    damage(weights)
    os.utime(weights, ns=(time, time))
    assert filled.require(model) == weights
    assert states(filled, model, hashing=True) == ["damaged", "present"]
    assert states(filled, model) == ["damaged", "present"]


@pytest.mark.parametrize("stamp", [b"", b"{}", b"[]", b"null", b"\xff", b'{"size": 11}'])
def test_a_stamp_that_says_nothing_is_written_anew(filled, model, weights, stamp):
    filled.require(model)
    weights.with_name("model.bin.verified").write_bytes(stamp)
    assert not filled.is_stamped(weights, model.sha256)
    filled.require(model)
    assert filled.is_stamped(weights, model.sha256)


def test_is_present_looks_at_sizes_only(filled, model, weights):
    assert filled.is_present(model)
    damage(weights)
    assert filled.is_present(model)
    weights.write_bytes(b"bobot")
    assert not filled.is_present(model)
    weights.unlink()
    assert not filled.is_present(model)


def test_states_tell_present_partial_missing_and_damaged(filled, model, weights):
    assert states(filled, model) == ["present", "present"]
    damage(weights)
    assert states(filled, model) == ["damaged", "present"]
    weights.unlink()
    assert states(filled, model) == ["missing", "present"]
    partial_path(weights).write_bytes(b"bobot")
    assert states(filled, model) == ["partial", "present"]


def test_a_state_tells_path_digest_and_both_sizes(filled, model, weights):
    weights.unlink()
    partial_path(weights).write_bytes(b"bobot")
    state = filled.states(model)[0]
    assert (state.model, state.name, state.path) == ("tiny", "model.bin", str(weights))
    assert (state.size, state.expected_size, state.sha256) == (5, 11, model.sha256)


def test_the_lock_keeps_others_out_and_lets_them_in_after(cache, model):
    other = FileLock(cache.folder(model) / ".lock")
    with cache.lock(model), pytest.raises(Timeout):
        other.acquire(timeout=0)
    with other.acquire(timeout=0):
        assert other.is_locked


def test_the_lock_is_released_after_an_error(cache, model):
    with pytest.raises(KeyboardInterrupt), cache.lock(model):
        raise KeyboardInterrupt
    FileLock(cache.folder(model) / ".lock").acquire(timeout=0).lock.release()


def test_a_cache_below_a_file_is_a_storage_error(tmp_path, model):
    (tmp_path / "berkas").write_text("x")
    with (
        pytest.raises(StorageError, match="a file stands where a folder should be"),
        WeightCache(tmp_path / "berkas").lock(model),
    ):
        pass


@pytest.fixture
def unwritable():
    """A filled cache that this process may read only: root may write everywhere, so it is nobody for a while."""
    folder = Path(tempfile.mkdtemp(prefix="rag-cache-"))
    cache = WeightCache(folder)
    fill(cache, model_of(TINY), TINY)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield cache
    if root:
        os.seteuid(0)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700)
    shutil.rmtree(folder)


def test_a_cache_that_cannot_be_written_goes_without_stamps(unwritable, model):
    assert unwritable.require(model).read_bytes() == TINY["model.bin"]
    assert states(unwritable, model) == ["present", "present"]
    assert list(unwritable.root.rglob("*.verified")) == []


@pytest.fixture
def embedder():
    return model_of(EMBEDDER)


@pytest.fixture
def derived(cache, embedder):
    fill(cache, embedder, EMBEDDER)
    return cache.sentence_transformer(embedder)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_derived_folder_lists_its_files_with_their_digests_and_what_they_were_made_from(derived, embedder):
    files = contents(derived)
    manifest = json.loads(files.pop("derived.json"))
    assert manifest["sources"] == {file.name: file.sha256 for file in embedder.files}
    assert {name: stamp["sha256"] for name, stamp in manifest["files"].items()} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }
    assert {"model.safetensors", "tokenizer.json", "1_Pooling/config.json"} <= files.keys()


def test_a_whole_derived_folder_is_used_again(cache, embedder, derived):
    before = derived.stat().st_ino, (derived / "config.json").stat().st_mtime_ns
    assert cache.sentence_transformer(embedder) == derived
    assert before == (derived.stat().st_ino, (derived / "config.json").stat().st_mtime_ns)


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / "config.json").unlink(),
        lambda folder: os.truncate(folder / "model.safetensors", 100),
        lambda folder: damage(folder / "model.safetensors"),
        lambda folder: (folder / "derived.json").write_text("{}"),
        lambda folder: (folder / "derived.json").write_text('{"config.json": 351}'),
        lambda folder: (folder / "tambahan.json").write_text("{}"),
        lambda folder: (folder / "derived.json").unlink(),
        lambda folder: (folder / "derived.json").write_bytes(b"\xff"),
        shutil.rmtree,
        lambda folder: folder.rename(folder.with_name(".sentence-transformers.building")),
    ],
)
def test_a_derived_folder_that_is_not_whole_is_made_again(cache, embedder, derived, harm):
    before = contents(derived)
    before.pop("derived.json")
    harm(derived)
    assert cache.sentence_transformer(embedder) == derived
    after = contents(derived)
    assert after.pop("derived.json")
    assert after == before
    assert [path.name for path in derived.parent.glob(".sentence*")] == []


def test_verifying_hashes_the_derived_files_and_what_is_damaged_is_made_again(cache, embedder, derived):
    weights = derived / "model.safetensors"
    before, status = weights.read_bytes(), weights.stat()
    assert set(states(cache, embedder, hashing=True)) == {"present"}
    damage(weights)
    os.utime(weights, ns=(status.st_mtime_ns, status.st_mtime_ns))
    found = {state.name: state.state for state in cache.states(embedder, hashing=True)}
    assert [name for name, state in found.items() if state == "damaged"] == ["sentence-transformers/model.safetensors"]
    cache.sentence_transformer(embedder)
    assert weights.read_bytes() == before


def test_a_folder_derived_from_other_weights_is_made_again(cache, embedder, derived):
    other = replace(embedder, files=(embedder.files[0], replace(embedder.files[1], sha256=hashlib.sha256(b"{}").hexdigest())))
    cache.path(other, other.files[1]).write_bytes(b"{}")
    other = replace(other, files=(other.files[0], replace(other.files[1], parts=(replace(other.files[1].parts[0], size=2),))))
    cache.sentence_transformer(other)
    assert (derived / "tokenizer.json").read_bytes() == b"{}"


def test_a_full_disk_leaves_nothing_of_a_derivation(cache, embedder, monkeypatch):
    fill(cache, embedder, EMBEDDER)

    def fill_up(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(e5, "write_sentence_transformer", fill_up)
    with pytest.raises(StorageError, match="the disk is full"):
        cache.sentence_transformer(embedder)
    assert [path.name for path in cache.folder(embedder).glob("*sentence*")] == []


def test_two_processes_that_derive_at_once_make_one_folder(cache, embedder, tmp_path):
    fill(cache, embedder, EMBEDDER)
    code = (
        "import sys, pathlib\nfrom rag.weights.cache import WeightCache\n"
        "from tests.weights.test_cache import EMBEDDER, model_of\n"
        "print(WeightCache(pathlib.Path(sys.argv[1])).sentence_transformer(model_of(EMBEDDER)))"
    )
    command = [sys.executable, "-c", code, str(cache.root)]
    with ExitStack() as stack:
        running = [stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) for _ in range(3)]
        said = {process.communicate()[0].strip() for process in running}
        assert [process.returncode for process in running] == [0, 0, 0]
    assert said == {str(cache.folder(embedder) / "sentence-transformers")}
    assert set(states(cache, embedder, hashing=True)) == {"present"}


def test_a_discarded_derived_folder_is_made_again(cache, embedder, derived):
    cache.discard_derived(embedder)
    assert not derived.exists()
    cache.discard_derived(embedder)
    assert (cache.sentence_transformer(embedder) / "config.json").is_file()


def test_nothing_is_derived_from_damaged_weights(cache, embedder, derived):
    damage(cache.path(embedder, embedder.files[0]))
    with pytest.raises(WeightsDamaged):
        cache.sentence_transformer(embedder)


def test_nothing_is_left_of_a_derivation_from_bytes_that_are_no_model(cache):
    files = {**EMBEDDER, E5_WEIGHTS: b"E5S1 bukan model"}
    model = model_of(files)
    fill(cache, model, files)
    with pytest.raises(WeightsDamaged, match="cannot be read"):
        cache.sentence_transformer(model)
    assert not (cache.folder(model) / "sentence-transformers").exists()
