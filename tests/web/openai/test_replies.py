"""An answer as OpenAI clients read it, without a client: the routes are tested in `test_chat.py`."""

from dataclasses import asdict, replace
from typing import Any

import pytest

from rag.engine import Engine
from rag.errors import IndexMissing, KeyRefused, QuestionError, RagError, TooLarge, TooManyQuestions
from rag.types import Answer, Found, Marked, Token, Waiting
from rag.web import problems
from rag.web.openai import replies
from rag.web.openai.replies import Completion, Json
from tests.web.conftest import QUESTION

BASE = "https://rag.example"


@pytest.fixture
def answer(engine: Engine) -> Answer:
    """An answer with two sentences: the first cites two passages, the second the first of them again."""
    found = engine.ask(QUESTION)
    (citation,) = found.citations
    second = replace(citation, document_id="d2", path="b.pdf", start=7, end=9, text="di", page=3)
    return replace(found, text="Satu [1][2]. Dua [1].", citations=(citation, second))


@pytest.fixture
def form() -> Completion:
    return Completion("rag", "Siapa?", BASE, lambda text: len(text.split()), id="chatcmpl-1", created=5)


def message(reply: Json) -> dict[str, Any]:
    (choice,) = reply["choices"]
    found: dict[str, Any] = choice["message"]
    return found


def test_each_marker_has_an_annotation_that_leads_to_its_words(form: Completion, answer: Answer) -> None:
    text, annotations = answer.text, message(form.whole(answer))["annotations"]
    places = [a["url_citation"] for a in annotations]
    assert [text[place["start_index"] : place["end_index"]] for place in places] == ["[1]", "[2]", "[1]"]
    first, second = answer.citations
    assert [a["citation"] for a in annotations] == [asdict(first), asdict(second), asdict(first)]
    assert places[0]["url"] == f"{BASE}/v1/documents/{first.document_id}/text?start={first.start}&end={first.end}"
    assert places[1] == {
        "start_index": 8,
        "end_index": 11,
        "title": "b.pdf, p. 3",
        "url": f"{BASE}/v1/documents/d2/text?start=7&end=9",
    }


def test_a_number_in_brackets_that_is_no_marker_has_no_annotation(form: Completion, answer: Answer) -> None:
    said = replace(answer, text="Pasal [12] dan [0], kata [1].")
    (only,) = message(form.whole(said))["annotations"]
    assert only["url_citation"]["start_index"] == said.text.index("[1]")


def test_the_chunks_join_to_the_whole_reply(form: Completion, answer: Answer) -> None:
    noted = replace(answer, note="Satu kalimat dihapus.", understood_as="Siapa dia?")
    whole = form.whole(noted)
    chunks = [form.first(), *form.chunks(noted)]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert "".join(delta.get("content", "") for delta in deltas) == message(whole)["content"]
    assert deltas[0]["role"] == "assistant"
    assert deltas[-1] == {"annotations": message(whole)["annotations"]}
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    for chunk in chunks:
        assert (chunk["id"], chunk["created"], chunk["model"]) == ("chatcmpl-1", 5, "rag")
        assert chunk["object"] == "chat.completion.chunk"
    assert chunks[-1]["rag"] == whole["rag"]
    assert (
        chunks[-1]["system_fingerprint"] == whole["system_fingerprint"] == f"{answer.receipt.version} {answer.receipt.snapshot}"
    )


def test_a_token_is_a_draft_and_other_events_are_no_chunks(form: Completion, answer: Answer) -> None:
    (chunk,) = form.chunks(Token("Menteri "))
    assert chunk["choices"][0]["delta"] == {"reasoning_content": "Menteri "}
    for event in (Found(answer.passages), Waiting(2), Marked(answer.citations[0], 0.9)):
        assert list(form.chunks(event)) == []


def test_the_fields_of_rag_say_how_the_answer_was_made(form: Completion, answer: Answer) -> None:
    said = form.whole(replace(answer, understood_as="Siapa dia?", note="Catatan."))["rag"]
    assert said == {
        "answered": True,
        "confidence": answer.confidence,
        "language": "id",
        "understood_as": "Siapa dia?",
        "note": "Catatan.",
    }


def test_tokens_are_those_of_the_prompt_and_of_the_text_with_its_sources(form: Completion, answer: Answer) -> None:
    content = message(form.whole(answer))["content"]
    usage = {"prompt_tokens": 1, "completion_tokens": len(content.split()), "total_tokens": 1 + len(content.split())}
    assert form.whole(answer)["usage"] == usage
    counted = form.counted(answer)
    assert (counted["usage"], counted["choices"], counted["object"]) == (usage, [], "chat.completion.chunk")


def test_an_answer_that_was_cut_ends_with_the_reason_length(form: Completion, answer: Answer) -> None:
    assert form.whole(replace(answer, cut=True))["choices"][0]["finish_reason"] == "length"


def test_two_replies_have_ids_of_their_own(answer: Answer) -> None:
    made = [Completion("rag", "", BASE, len).whole(answer)["id"] for _ in range(2)]
    assert len(set(made)) == 2
    assert all(name.startswith("chatcmpl-") for name in made)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (QuestionError("it is empty", "ask"), "invalid_request_error"),
        (TooLarge("it is large", "split it"), "invalid_request_error"),
        (KeyRefused("no key", "make one"), "authentication_error"),
        (TooManyQuestions("full", "wait", 3), "rate_limit_error"),
        (IndexMissing("no index", "run `rag index`"), "server_error"),
        (ValueError("secret"), "server_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_an_error_has_openais_type_and_the_kind_and_hint_of_rag(error: Exception, kind: str) -> None:
    failure = replies.of(error).error
    assert (failure.type, failure.code) == (kind, problems.of(error).title)
    assert failure.message == problems.of(error).detail
    assert "secret" not in failure.message
    assert not isinstance(error, RagError) or failure.message.endswith(error.hint)


def test_the_errors_of_a_route_have_examples_in_openais_form() -> None:
    documented = replies.documented(404, 429)
    assert set(documented) == set(problems.documented(404, 429))
    for status, spec in documented.items():
        examples: Any = spec.examples
        (example,) = examples
        assert spec.media_type == "application/json"
        assert set(example.value["error"]) == {"message", "type", "code", "param"}
        assert (example.value["error"]["type"] == "server_error") is (status >= 500)
