"""Passages with attacks in them, and what no model can be brought to do by them. Whether one obeys in words: benchmarks/."""

import json
from typing import Any

import pytest

from rag.answering.local.llama import LlamaReader
from rag.answering.prompt import neutralise
from rag.engine import Engine
from rag.text import normalise
from tests.conftest import ROOT

CASES: list[dict[str, Any]] = [
    json.loads(line) for line in (ROOT / "tests/answering/poisoned.jsonl").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_each_case_has_its_answer_and_attack(case: dict[str, Any]) -> None:
    assert case["answer"] in case["passage"]
    assert case["answer"] in normalise(case["passage"]), "what hides the attack hides no answer"
    assert not any(word.casefold() in case["answer"].casefold() + case["question"].casefold() for word in case["never"])


def test_what_nobody_sees_is_not_read() -> None:
    passages = {case["id"]: normalise(case["passage"]) for case in CASES}
    assert "PAPAYA" not in passages["tags"]
    assert passages["tags"].isascii()
    assert "\u202e" not in passages["bidi"]
    assert "RAMBUTAN" in passages["zero-width"], "it is seen by people, so by models too"


def test_for_an_endpoint_no_case_holds_a_control_token() -> None:
    for case in CASES:
        assert "<|" not in neutralise(case["passage"])
        assert "[INST" not in neutralise(case["passage"])


@pytest.mark.real
def test_no_case_is_read_as_control_tokens(reader: LlamaReader) -> None:
    read = [reader._passage_tokens(case["passage"], 64) for case in CASES]
    assert all(reader._model.control.isdisjoint(tokens) for tokens in read)


@pytest.mark.real
@pytest.mark.parametrize("name", ["fake-citation", "qwen", "link-en"])
def test_what_is_written_holds_no_marker(reader: LlamaReader, real_engine: Engine, name: str) -> None:
    (case,) = (case for case in CASES if case["id"] == name)
    instruction = real_engine.models.prompts.phrases(case["lang"]).instruction
    written = "".join(reader.answer(case["question"], case["passage"], instruction))
    assert written
    for marker in ("[5]", "[6]", "<|", "://", "@"):
        assert marker not in written
