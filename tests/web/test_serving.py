import socket
from dataclasses import replace

import pytest

from rag.engine import Engine
from rag.errors import IndexMissing, QuestionError, StorageError
from rag.keys import Keys
from rag.web.serving import openness, require_keys, serve


def test_an_address_that_is_taken_is_told(engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        engine.settings = replace(engine.settings, port=taken.getsockname()[1])
        with pytest.raises(StorageError, match=r"cannot be listened on \(Address already in use\); set RAG_PORT"):
            serve(engine)


def test_without_an_index_it_does_not_start(engine: Engine) -> None:
    (engine.settings.index / "current").unlink()
    with pytest.raises(IndexMissing, match="run `rag index`"):
        serve(engine)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.7.7", "::", "rag.example"])
def test_without_keys_no_other_machine_is_served(engine: Engine, host: str) -> None:
    engine.settings = replace(engine.settings, host=host)
    with pytest.raises(QuestionError, match=r"there are no keys; make one first: rag keys create NAME$"):
        serve(engine)
    token, key = Keys(engine.settings.keys).create("laptop", "read")
    require_keys(engine.settings)
    assert token
    Keys(engine.settings.keys).revoke(key.name)
    with pytest.raises(QuestionError, match="make one first"):
        require_keys(engine.settings)


def test_it_says_who_can_use_it(engine: Engine) -> None:
    assert "whoever uses this machine may use the service, and nobody else" in openness(engine.settings)
    Keys(engine.settings.keys).create("laptop", "read")
    assert openness(engine.settings).startswith("a key is needed")
