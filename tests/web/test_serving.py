import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from rag.engine import Engine
from rag.errors import IndexMissing, QuestionError, StorageError
from rag.keys import Keys
from rag.web import serving
from rag.web.admission import Admission
from rag.web.app import create
from rag.web.serving import Server, openness, require_keys, serve
from tests.fakes import StuckReader
from tests.web.conftest import PATIENCE, QUESTION, Served, assert_problem, events, questions_running, until


def test_an_address_in_use_is_an_error(engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        engine.settings = replace(engine.settings, port=taken.getsockname()[1])
        with pytest.raises(StorageError, match=r"cannot listen on .* \(Address already in use\); set RAG_PORT"):
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
    assert "anyone on this machine may use the service, and nobody else" in openness(engine.settings)
    Keys(engine.settings.keys).create("laptop", "read")
    assert openness(engine.settings).startswith("a key is needed")


def test_questions_without_an_answer_when_it_stops_get_a_problem(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "GRACE", 0.1)
    engine.models.reader = stuck = StuckReader()
    admission = Admission()
    made = Served(create(engine, admission=admission), lambda config: Server(config, admission))

    def asked(accepted: str) -> httpx.Response:
        return httpx.post(f"{made.url}/v1/ask", json={"question": QUESTION}, headers={"Accept": accepted}, timeout=PATIENCE)

    with ThreadPoolExecutor(2) as pool:
        streamed = pool.submit(asked, "text/event-stream")
        assert stuck.working.wait(PATIENCE)
        waiting = pool.submit(asked, "application/json")
        until(lambda: admission.length == 2)
        made.close()
        assert [kind for kind, _ in events(streamed.result().text)][-1] == "error"
        assert "ServiceStopping" in events(streamed.result().text)[-1][1]
        assert_problem(waiting.result(), 503, "the service is stopping")
    until(lambda: not questions_running())
