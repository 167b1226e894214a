"""The official client, talking to a service that listens, over the fakes."""

from collections.abc import Iterator

import openai
import pytest

from rag.engine import Engine
from rag.web.app import create
from tests.web.conftest import PATIENCE, Served


@pytest.fixture
def served(engine: Engine) -> Iterator[Served]:
    made = Served(create(engine))
    yield made
    made.close()


@pytest.fixture
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=served.url + "/v1", api_key="none", timeout=PATIENCE, max_retries=0) as made:
        yield made
