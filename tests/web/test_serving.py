import socket
from dataclasses import replace

import pytest

from rag.engine import Engine
from rag.errors import IndexMissing, StorageError
from rag.web.serving import serve


def test_an_address_that_is_taken_is_told(engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        engine.settings = replace(engine.settings, port=taken.getsockname()[1])
        with pytest.raises(StorageError, match=r"cannot be listened on \(Address already in use\); set RAG_PORT"):
            serve(engine)


def test_without_an_index_it_does_not_start(engine: Engine) -> None:
    (engine.settings.index / "current").unlink()
    with pytest.raises(IndexMissing, match="run `rag index`"):
        serve(engine)
