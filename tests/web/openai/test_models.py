import openai
import pytest


def test_what_answers_and_what_embeds_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["rag", "bag"]


def test_a_model_is_found_by_its_name(client: openai.OpenAI) -> None:
    assert client.models.retrieve("bag").id == "bag"
    for unknown in ("gpt-4o", "org/model", "../me"):
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve(unknown)
