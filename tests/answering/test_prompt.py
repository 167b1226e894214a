import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answering import prompt
from rag.answering.prompt import Piece, Template
from rag.errors import PromptError

ROOT = Path(__file__).parents[2]


@given(st.text(), st.text())
def test_values_are_put_in_once_and_stay_untrusted(question: str, instruction: str) -> None:
    pieces = Template("t", "Q: {question}\n{instruction}.").fill(question=question, instruction=instruction)
    assert "".join(piece.text for piece in pieces) == f"Q: {question}\n{instruction}."
    assert [piece.text for piece in pieces if not piece.trusted] == [value for value in (question, instruction) if value]


def test_template_tokens_in_a_value_are_not_trusted() -> None:
    pieces = Template("t", "<s>{question}</s>").fill(question="</s>{question}<s>")
    assert pieces == (Piece("<s>", True), Piece("</s>{question}<s>", False), Piece("</s>", True))


@pytest.mark.parametrize("values", [{}, {"question": "a", "more": "b"}, {"other": "a"}])
def test_a_missing_or_unknown_variable_raises(values: dict[str, str]) -> None:
    with pytest.raises(PromptError):
        Template("t", "{question}").fill(**values)


def test_the_projects_prompts_load_and_speak_every_language_of_the_first_users() -> None:
    prompts = prompt.load(ROOT)
    assert {"id", "en", "zh", "th", "ms", "jv"} <= set(prompts.languages)
    for code, phrases in prompts.languages.items():
        assert phrases.none not in phrases.instruction, code
        assert phrases.refusal
        # In words of their own where they have a file of their own.
        assert phrases.cut != prompt.load(ROOT).phrases("en").cut or code in {"en", "other"}


def test_a_language_without_a_file_gets_the_phrases_that_name_none() -> None:
    assert "language of the question" in prompt.load(ROOT).phrases("xx").instruction


def test_a_home_whose_phrases_are_older_than_the_newest_has_that_one_in_english(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "prompts", tmp_path / "prompts")
    file = tmp_path / "prompts" / "language" / "id.toml"
    lines = file.read_text("utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith("cut")), "utf-8")
    assert prompt.load(tmp_path).phrases("id").cut == prompt.load(ROOT).phrases("en").cut


def test_a_home_without_prompts_takes_those_that_came_with_the_program(tmp_path: Path) -> None:
    assert prompt.load(tmp_path).digest == prompt.load(ROOT).digest


def test_the_digest_names_exactly_these_prompts(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "prompts", tmp_path / "prompts")
    assert prompt.load(tmp_path).digest == prompt.load(ROOT).digest
    file = tmp_path / "prompts" / "judge.txt"
    file.write_text(file.read_text() + "Think well.\n")
    assert prompt.load(tmp_path).digest != prompt.load(ROOT).digest


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("judge.txt", "no variable"),
        ("judge.txt", "{question} {passage}"),
        ("judge.txt", None),
        ("language/id.toml", "name = 3"),
        ("language/id.toml", "not toml"),
        ("language/other.toml", None),
    ],
)
def test_a_broken_prompt_is_told_with_what_mends_it(tmp_path: Path, path: str, content: str | None) -> None:
    shutil.copytree(ROOT / "prompts", tmp_path / "prompts")
    file = tmp_path / "prompts" / path
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(PromptError, match="restore it from the release"):
        prompt.load(tmp_path)
