import errno
import hashlib
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import StorageError
from rag.files import replacing, sha256_file, storage_errors, write_atomically


def test_write_atomically_replaces_the_whole_content_and_leaves_nothing_beside(tmp_path):
    file = tmp_path / "current"
    write_atomically(file, "yang lama dan panjang sekali")
    write_atomically(file, "baru 😀\n")
    assert file.read_bytes() == "baru 😀\n".encode()
    assert list(tmp_path.iterdir()) == [file]


def test_a_text_that_cannot_be_written_leaves_the_old_file_and_nothing_beside(tmp_path):
    file = tmp_path / "current"
    write_atomically(file, "lama")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "baru \ud800")
    assert file.read_text("utf-8") == "lama"
    assert list(tmp_path.iterdir()) == [file]


def test_two_threads_may_write_the_same_file_at_once(tmp_path):
    path, both = tmp_path / "a.txt", threading.Barrier(2)
    failures = []

    def write(text):
        try:
            with replacing(path) as new:
                new.write_text(text)
                both.wait(60)
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(text,)) for text in ("satu", "dua")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert path.read_text() in {"satu", "dua"}
    assert list(tmp_path.iterdir()) == [path]


def test_an_open_reader_keeps_the_old_content(tmp_path):
    file = tmp_path / "current"
    write_atomically(file, "lama")
    with file.open(encoding="utf-8") as reader:
        write_atomically(file, "baru")
        assert reader.read() == "lama"


def test_writing_below_a_file_is_a_storage_error(tmp_path):
    (tmp_path / "berkas").write_text("x")
    with pytest.raises(StorageError, match="a file stands where a folder should be"):
        write_atomically(tmp_path / "berkas" / "current", "x")


@pytest.mark.parametrize(
    ("code", "problem", "hint"),
    [
        (errno.ENOSPC, "the disk is full", "free some space"),
        (errno.EDQUOT, "the disk quota is used up", "free some space"),
        (errno.EROFS, "the disk is read-only", "mount it writable"),
        (errno.EACCES, "writing is not permitted", "get write permission"),
        (errno.EPERM, "writing is not permitted", "get write permission"),
    ],
)
def test_disk_errors_become_storage_errors_that_end_with_a_hint(code, problem, hint):
    cause = OSError(code, "x")
    with pytest.raises(StorageError) as caught, storage_errors(Path("/tempat")):
        raise cause
    assert caught.value.problem == f"{problem} (/tempat)"
    assert caught.value.hint.startswith(hint)
    assert str(caught.value).endswith(caught.value.hint)
    assert caught.value.__cause__ is cause


def test_a_storage_error_names_the_file_that_the_disk_named():
    with pytest.raises(StorageError, match=r"\(/tempat/berkas\)"), storage_errors(Path("/tempat")):
        raise OSError(errno.ENOSPC, "x", "/tempat/berkas")


def test_a_storage_error_of_a_renaming_names_what_stands_in_the_way(tmp_path):
    (tmp_path / "current").mkdir()
    with pytest.raises(StorageError, match=r"a folder stands where a file should be \(.*/current\); move it away"):
        write_atomically(tmp_path / "current", "x")


def test_a_full_disk_is_a_storage_error():
    with pytest.raises(StorageError, match="the disk is full"), storage_errors(Path("/dev/full")):
        Path("/dev/full").write_text("x")


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "x"), OSError("no number"), ValueError("x"), TimeoutError()])
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as caught, storage_errors(Path("/tempat")):
        raise error
    assert caught.value is error


@settings(deadline=None, max_examples=20)
@given(content=st.binary(max_size=5000))
def test_sha256_file_is_the_digest_of_the_bytes(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("digest") / "file"
    file.write_bytes(content)
    assert sha256_file(file) == hashlib.sha256(content).hexdigest()
