import re
from collections.abc import Generator, Sequence
from typing import Any, cast

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam
from openai.types.chat.completion_create_params import CompletionCreateParamsBase

from rag.answering.citing import verifies
from rag.engine import Engine
from rag.errors import WeightsError
from rag.types import Citation
from rag.web.app import create
from rag.web.openai.requests import ChatRequest
from tests.fakes import OverlapReader, ScriptedReader, SlowReader
from tests.web.conftest import PATIENCE, QUESTION, Served, questions_running, until

UNANSWERED = "Siapa juara sepak bola Brasil?"
REFUSAL = "Dokumen-dokumen ini tidak menjawab pertanyaan itu."


def user(content: Any) -> ChatCompletionMessageParam:
    return {"role": "user", "content": content}


def test_an_answer_has_its_citations_in_the_annotations_and_in_the_text(
    client: openai.OpenAI, engine: Engine, served: Served
) -> None:
    reply = client.chat.completions.create(model="rag", messages=[user(QUESTION)], temperature=0.7, max_tokens=9, seed=3)
    (choice,) = reply.choices
    text = choice.message.content or ""
    assert (reply.object, reply.model, choice.index, choice.finish_reason) == ("chat.completion", "rag", 0, "stop")
    (annotation,) = choice.message.annotations or []
    cited = annotation.url_citation
    assert text[cited.start_index : cited.end_index] == "[1]"
    citation = Citation(**cast("Any", annotation).citation)
    assert verifies(citation, engine.document(citation.document_id))
    assert f"[1] {cited.title}: “{' '.join(citation.text.split())}”" in text
    assert httpx.get(cited.url).json()["text"] == citation.text
    answer = engine.ask(QUESTION)
    assert text.startswith(answer.text + "\n\n[1]")
    assert cast("Any", reply).rag["answered"] is True


def test_a_refusal_is_a_plain_answer_without_citations(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="rag", messages=[user(UNANSWERED)])
    assert (reply.choices[0].message.content, reply.choices[0].message.annotations) == (REFUSAL, [])
    assert cast("Any", reply).rag["answered"] is False


def test_tokens_are_counted(client: openai.OpenAI, engine: Engine) -> None:
    reply = client.chat.completions.create(model="rag", messages=[user(QUESTION)])
    assert reply.usage
    assert reply.usage.prompt_tokens == len(engine.models.embedder.token_starts(QUESTION))
    assert reply.usage.completion_tokens == len(engine.models.embedder.token_starts(reply.choices[0].message.content or ""))
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def joined(chunks: list[ChatCompletionChunk], name: str) -> str:
    return "".join(getattr(chunk.choices[0].delta, name, None) or "" for chunk in chunks if chunk.choices)


def test_a_stream_says_what_the_whole_reply_says_and_ends_with_the_citations(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="rag", messages=[user(QUESTION)])
    chunks = list(client.chat.completions.create(model="rag", messages=[user(QUESTION)], stream=True))
    assert joined(chunks, "content") == reply.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len({chunk.id for chunk in chunks}) == 1
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    (annotation,) = cast("Any", chunks[-1].choices[0].delta).annotations
    assert annotation == cast("Any", reply.choices[0].message.annotations)[0].model_dump()
    assert all(chunk.usage is None for chunk in chunks)


def test_what_is_not_verified_yet_is_sent_as_a_draft(client: openai.OpenAI, engine: Engine) -> None:
    chunks = list(client.chat.completions.create(model="rag", messages=[user(QUESTION)], stream=True))
    draft, text = joined(chunks, "reasoning_content"), joined(chunks, "content")
    assert draft
    assert text.startswith(re.sub(r"\s+", " ", draft).strip())
    assert "[1]" not in draft


def test_an_answer_that_was_cut_says_so_as_openai_does(client: openai.OpenAI, engine: Engine) -> None:
    engine.models.reader = ScriptedReader(["Menteri Pertahanan Ashtiani mengatakan Iran. ", "Menteri Perta"], cut=True)
    reply = client.chat.completions.create(model="rag", messages=[user(QUESTION)])
    assert reply.choices[0].finish_reason == "length"
    assert "(Jawaban ini terpotong sebelum selesai.)" in (reply.choices[0].message.content or "")
    *_, last = client.chat.completions.create(model="rag", messages=[user(QUESTION)], stream=True)
    assert last.choices[0].finish_reason == "length"


def test_a_stream_counts_tokens_where_that_is_asked_for(client: openai.OpenAI) -> None:
    options: Any = {"include_usage": True}
    *before, last = client.chat.completions.create(model="rag", messages=[user(QUESTION)], stream=True, stream_options=options)
    assert last.choices == []
    assert last.usage
    assert last.usage.total_tokens > 0
    assert before[-1].choices[0].finish_reason == "stop"


def test_the_packages_own_streaming_helper_reads_it(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="rag", messages=[user(QUESTION)]) as stream:
        final = stream.get_final_completion()
    assert "[1]" in (final.choices[0].message.content or "")


def test_parts_of_text_a_system_prompt_and_an_own_filter_are_accepted(client: openai.OpenAI) -> None:
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": "You are a pirate."},
        user([{"type": "text", "text": QUESTION}]),
    ]
    assert client.chat.completions.create(model="rag", messages=messages).choices[0].message.annotations
    refused = client.chat.completions.create(model="rag", messages=messages, extra_body={"where": "language!=id"})
    assert not refused.choices[0].message.annotations


def test_a_follow_up_is_understood_by_the_messages_before_it(client: openai.OpenAI) -> None:
    first = client.chat.completions.create(model="rag", messages=[user("Siapa Menteri Pertahanan Iran?")])
    answered = cast("ChatCompletionMessageParam", first.choices[0].message.model_dump())
    messages = [user("Siapa Menteri Pertahanan Iran?"), answered, user("Apa katanya tentang Venezuela?")]
    reply = client.chat.completions.create(model="rag", messages=messages)
    understood = cast("Any", reply).rag["understood_as"]
    assert "Ashtiani" in understood
    assert f"(↳ {understood})" in (reply.choices[0].message.content or "")
    (annotation, *_) = reply.choices[0].message.annotations or []
    assert "Venezuela" in cast("Any", annotation).citation["text"]


REFUSED: list[dict[str, Any]] = [
    {"n": 2},
    {"tools": [{"type": "function", "function": {"name": "f"}}]},
    {"tool_choice": "required"},
    {"response_format": {"type": "json_object"}},
    {"logprobs": True},
    {"stop": ["."]},
    {"modalities": ["text", "audio"]},
    {"messages": []},
    {"messages": [user("")]},
    {"messages": [user("x" * 1001)]},
    {"messages": [user(QUESTION), {"role": "assistant", "content": "Ashtiani."}]},
    {"messages": [{"role": "tool", "content": "3", "tool_call_id": "x"}]},
    {"messages": [user([{"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.png"}}])]},
    {"temperature": "hot"},
    {"extra_body": {"best_of": 3}},
    {"extra_body": {"where": "date>soon"}},
]


@pytest.mark.parametrize("more", REFUSED, ids=str)
def test_what_is_not_served_is_refused_in_openais_form(client: openai.OpenAI, more: dict[str, Any]) -> None:
    for stream in (False, True):
        arguments: dict[str, Any] = {"model": "rag", "messages": [user(QUESTION)], "stream": stream, **more}
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(**arguments)
        assert refused.value.type == "invalid_request_error"
        assert isinstance(refused.value.body, dict)
        assert "; " in refused.value.body["message"]
        assert set(refused.value.body) == {"message", "type", "code", "param"}


def test_every_parameter_that_the_package_knows_is_known_here() -> None:
    known = set(CompletionCreateParamsBase.__annotations__) | {"stream"}
    assert known <= set(ChatRequest.__struct_fields__)


def test_another_model_does_not_exist(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="GET /v1/models"):
        client.chat.completions.create(model="gpt-4o", messages=[user(QUESTION)])


class BrokenReader(OverlapReader):
    def answer(self, question: str, passages: Sequence[str], instruction: str) -> Generator[str, None, bool]:
        yield "Menteri "
        raise WeightsError("it cannot be read", "set RAG_LLM to another")


def test_what_goes_wrong_is_raised_by_the_client(client: openai.OpenAI, engine: Engine) -> None:
    engine.models.reader = BrokenReader()
    with pytest.raises(openai.InternalServerError, match="set RAG_LLM to another"):
        client.chat.completions.create(model="rag", messages=[user(QUESTION)])
    with pytest.raises(openai.APIError, match="set RAG_LLM to another"):
        list(client.chat.completions.create(model="rag", messages=[user(QUESTION)], stream=True))


def test_hanging_up_stops_the_model(client: openai.OpenAI, engine: Engine) -> None:
    engine.models.reader = slow = SlowReader()
    with client.chat.completions.create(model="rag", messages=[user(QUESTION)], stream=True) as stream:
        for chunk in stream:
            if getattr(chunk.choices[0].delta, "reasoning_content", None):
                break
    assert slow.left.wait(PATIENCE)
    assert slow.written < slow.most
    until(lambda: not questions_running())


@pytest.mark.real
def test_the_real_models_answer_a_client(real_engine: Engine) -> None:
    served = Served(create(real_engine))
    try:
        with openai.OpenAI(base_url=served.url + "/v1", api_key="none", timeout=600, max_retries=0) as client:
            question = "Siapa Kepala Staf Angkatan Bersenjata Iran?"
            reply = client.chat.completions.create(model="rag", messages=[user(question)])
            (annotation, *_) = reply.choices[0].message.annotations or []
            citation = Citation(**cast("Any", annotation).citation)
            assert verifies(citation, real_engine.document(citation.document_id))
            assert "Bagheri" in (reply.choices[0].message.content or "")
    finally:
        served.close()
