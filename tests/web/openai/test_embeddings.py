import numpy as np
import openai
import pytest

from rag.engine import Engine
from rag.web.openai.embeddings import MOST_CHARACTERS, MOST_TEXTS


def test_what_answers_and_what_embeds_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["rag", "bag"]


def test_a_model_is_found_by_its_name(client: openai.OpenAI) -> None:
    assert client.models.retrieve("bag").id == "bag"
    for unknown in ("gpt-4o", "org/model", "../me"):
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve(unknown)


@pytest.mark.parametrize("form", ["float", "base64"])
def test_the_vectors_are_the_embedders_in_either_form(client: openai.OpenAI, engine: Engine, form: str) -> None:
    texts = ["Siapa Menteri Pertahanan?", "Gajah Lampung"]
    # Without a form the package asks for base64, and decodes it.
    reply = (
        client.embeddings.create(model="bag", input=texts, encoding_format="float")
        if form == "float"
        else client.embeddings.create(model="bag", input=texts)
    )
    vectors = np.array([row.embedding for row in reply.data], dtype=np.float32)
    assert np.array_equal(vectors, engine.models.embedder.embed_queries(texts))
    assert [row.index for row in reply.data] == [0, 1]
    assert (reply.object, reply.model, reply.usage.prompt_tokens) == ("list", "bag", 5)


def test_one_text_needs_no_list(client: openai.OpenAI) -> None:
    (row,) = client.embeddings.create(model="bag", input="Gajah", dimensions=256).data
    assert len(row.embedding) == 256


@pytest.mark.parametrize("texts", ["", [], ["Gajah", " "], [1, 2, 3], [[1]]], ids=str)
def test_what_is_no_text_is_refused(client: openai.OpenAI, texts: list[str]) -> None:
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="bag", input=texts)


@pytest.mark.parametrize("texts", [["x"] * (MOST_TEXTS + 1), "x" * (MOST_CHARACTERS + 1)], ids=["many", "long"])
def test_too_much_is_refused(client: openai.OpenAI, texts: list[str]) -> None:
    with pytest.raises(openai.APIStatusError, match="in a request") as refused:
        client.embeddings.create(model="bag", input=texts)
    assert refused.value.status_code == 413


def test_other_dimensions_and_other_models_are_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="256 dimensions"):
        client.embeddings.create(model="bag", input="Gajah", dimensions=3)
    with pytest.raises(openai.NotFoundError, match="use bag"):
        client.embeddings.create(model="text-embedding-3-small", input="Gajah")
