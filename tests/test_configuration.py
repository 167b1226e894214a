from pathlib import Path

import pytest

from rag import configuration
from rag.errors import QuestionError

KINDS: dict[str, type] = {"passages": int, "min_confidence": float, "judge": str, "cache": Path, "log_questions": bool}


def read(folder: Path, text: str) -> dict[str, object]:
    (folder / "rag.toml").write_text(text, encoding="utf-8")
    return configuration.read(folder / "rag.toml", KINDS, elsewhere={"home": "set RAG_HOME"})


def test_values_of_every_type_are_read(tmp_path: Path) -> None:
    text = 'passages = 6\nmin_confidence = 0.5\njudge = "ours"\nlog_questions = true\ncache = "c"'
    assert read(tmp_path, text) == {
        "passages": 6,
        "min_confidence": 0.5,
        "judge": "ours",
        "log_questions": True,
        "cache": tmp_path / "c",
    }


def test_a_path_begins_where_the_file_lies_unless_it_says_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert read(tmp_path, 'cache = "/a"') == {"cache": Path("/a")}
    assert read(tmp_path, 'cache = "~/a"') == {"cache": Path("/somewhere/a")}


def test_without_a_file_nothing_is_chosen(tmp_path: Path) -> None:
    assert configuration.read(tmp_path / "rag.toml", KINDS, elsewhere={}) == {}
    (tmp_path / "file").touch()
    assert configuration.read(tmp_path / "file" / "rag.toml", KINDS, elsewhere={}) == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pasages = 3", r"no setting pasages in .*rag.toml; did you mean passages\?"),
        ("zzz = 3", "no setting zzz in .*; known are passages, "),
        ("[service]\nport = 1", "no setting service in"),
        ('passages = "6"', "passages in .*rag.toml is '6', and must be a whole number; mend it, or remove .*rag.toml"),
        ("passages = 6.0", "must be a whole number"),
        ("passages = true", "must be a whole number"),
        ("log_questions = 1", "must be true or false"),
        ("judge = 1", "must be a text in quotes"),
        ("cache = 1", "must be a path in quotes"),
        ("passages = ", "rag.toml is no TOML"),
        ("passages = 1\npassages = 2", "rag.toml is no TOML"),
        ('home = "/x"', "home cannot be set in .*; remove it there, and set RAG_HOME"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(QuestionError, match=told):
        read(tmp_path, text)


def test_a_file_that_is_no_text_or_none_at_all_is_told(tmp_path: Path) -> None:
    (tmp_path / "rag.toml").write_bytes(b"judge = '\xff'")
    with pytest.raises(QuestionError, match="is no TOML"):
        configuration.read(tmp_path / "rag.toml", KINDS, elsewhere={})
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(QuestionError, match=r"folder.toml cannot be read \(Is a directory\)"):
        configuration.read(tmp_path / "folder.toml", KINDS, elsewhere={})
