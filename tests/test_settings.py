import json
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from rag import settings
from rag.errors import QuestionError
from rag.settings import BOTH_JUDGES, LLM_JUDGE, Secret, Settings
from rag.weights.catalogue import EMBEDDER, JUDGE, LLM, SHIPPED

KINDS: dict[str, type] = {"passages": int, "min_confidence": float, "judge": str, "cache": Path, "log_questions": bool}


def read(folder: Path, text: str) -> dict[str, object]:
    (folder / "rag.toml").write_text(text, encoding="utf-8")
    return settings.read_file(folder / "rag.toml", KINDS, elsewhere={"home": "set RAG_HOME"})


def test_values_of_every_type_are_read(tmp_path: Path) -> None:
    text = 'passages = 6\nmin_confidence = 0.5\njudge = "ours"\nlog_questions = true\ncache = "c"'
    assert read(tmp_path, text) == {
        "passages": 6,
        "min_confidence": 0.5,
        "judge": "ours",
        "log_questions": True,
        "cache": tmp_path / "c",
    }


def test_a_relative_path_is_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert read(tmp_path, 'cache = "/a"') == {"cache": Path("/a")}
    assert read(tmp_path, 'cache = "~/a"') == {"cache": Path("/somewhere/a")}


def test_without_a_file_nothing_is_set(tmp_path: Path) -> None:
    assert settings.read_file(tmp_path / "rag.toml", KINDS, elsewhere={}) == {}
    (tmp_path / "file").touch()
    assert settings.read_file(tmp_path / "file" / "rag.toml", KINDS, elsewhere={}) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pasages = 3", r"no setting pasages in .*rag.toml; did you mean passages\?"),
        ("zzz = 3", "no setting zzz in .*; known are passages, "),
        ("[service]\nport = 1", "no setting service in"),
        ('passages = "6"', "passages in .*rag.toml is '6', and must be a whole number; fix it, or remove .*rag.toml"),
        ("passages = 6.0", "must be a whole number"),
        ("passages = true", "must be a whole number"),
        ("log_questions = 1", "must be true or false"),
        ("judge = 1", "must be a string"),
        ("cache = 1", "must be a path"),
        ("passages = ", "rag.toml is not valid TOML"),
        ("passages = 1\npassages = 2", "rag.toml is not valid TOML"),
        ('home = "/x"', "home cannot be set in .*; remove it there, and set RAG_HOME"),
    ],
)
def test_an_error_names_the_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        read(tmp_path, text)


def test_a_file_that_is_not_text_or_is_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rag.toml").write_bytes(b"judge = '\xff'")
    with pytest.raises(QuestionError, match="is not valid TOML"):
        settings.read_file(tmp_path / "rag.toml", KINDS, elsewhere={})
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(QuestionError, match=r"folder.toml cannot be read \(Is a directory\)"):
        settings.read_file(tmp_path / "folder.toml", KINDS, elsewhere={})


def test_by_default_the_home_is_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = settings.load({}, {})
    assert (chosen.home, chosen.seeds, chosen.index) == (tmp_path, tmp_path / "seeds", tmp_path / "index")


def test_a_variable_is_read_and_a_flag_wins(tmp_path: Path) -> None:
    chosen = settings.load({"RAG_HOME": str(tmp_path), "RAG_PASSAGES": "7", "RAG_PORT": "1"}, {"port": "2", "host": None})
    assert (chosen.home, chosen.passages, chosen.port, chosen.host) == (tmp_path, 7, 2, "127.0.0.1")


def test_the_variables_of_settings_make_the_same_settings(tmp_path: Path) -> None:
    chosen = Settings(
        home=tmp_path / "a b=c",
        cache=tmp_path,
        passages=7,
        min_confidence=0.1 + 0.2,
        judge=JUDGE,
        llm_key=Secret("sk-1"),
        port=1,
        log_questions=True,
    )
    assert settings.load(settings.environment(chosen), {}) == chosen


def test_a_relative_home_and_a_tilde_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/somewhere")
    chosen = settings.load({"RAG_HOME": "docs", "RAG_CACHE": "~/cache"}, {})
    assert (chosen.home, chosen.cache) == (tmp_path / "docs", Path("/somewhere/cache"))


def test_an_unknown_variable_is_refused_with_the_nearest_known() -> None:
    with pytest.raises(QuestionError, match=r"no setting RAG_PASAGES; did you mean RAG_PASSAGES\?"):
        settings.load({"RAG_PASAGES": "3"}, {})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RAG_PASSAGES", "many"),
        ("RAG_PASSAGES", "0"),
        ("RAG_PORT", "70000"),
        ("RAG_REQUESTS_PER_MINUTE", "-1"),
        ("RAG_STORE_MB", "-1"),
        ("RAG_MIN_CONFIDENCE", "1.5"),
        ("RAG_MIN_CONFIDENCE", "nan"),
        ("RAG_THREADS", "-1"),
        ("RAG_CONTEXT_TOKENS", "10"),
        ("RAG_ANSWER_TOKENS", "4000"),
        ("RAG_LOG", "xml"),
        ("RAG_LOG_QUESTIONS", "perhaps"),
        ("RAG_UNSUPPORTED", "hide"),
    ],
)
def test_a_value_out_of_range_or_of_a_wrong_type_is_refused_with_what_to_set(variable: str, value: str) -> None:
    with pytest.raises(QuestionError, match=f"set {variable} or --"):
        settings.load({variable: value}, {})


def test_the_judge_is_ours_with_a_second_opinion_unless_another_is_named() -> None:
    assert settings.load({}, {}).judge == BOTH_JUDGES
    assert settings.load({"RAG_JUDGE": JUDGE}, {}).judge == JUDGE
    assert settings.load({"RAG_JUDGE": JUDGE}, {"judge": "BAAI/bge-reranker-v2-m3"}).judge == "BAAI/bge-reranker-v2-m3"
    with pytest.raises(QuestionError, match=r"did you mean RAG_JUDGE\?"):
        settings.load({"RAG_JUGDE": "llm"}, {})


def test_our_own_judge_needs_the_embedder_it_rests_on() -> None:
    assert settings.load({"RAG_JUDGE": JUDGE}, {}).models == (EMBEDDER, LLM)
    assert settings.load({"RAG_EMBEDDER": "another", "RAG_JUDGE": JUDGE}, {}).models == ("another", SHIPPED.base, LLM)
    assert settings.load({"RAG_EMBEDDER": "another"}, {}).models == ("another", SHIPPED.base, LLM)
    assert settings.load({"RAG_EMBEDDER": "another", "RAG_JUDGE": LLM_JUDGE}, {}).models == ("another", LLM)


def test_an_endpoint_needs_no_weights_and_is_checked_when_it_is_set() -> None:
    chosen = settings.load({"RAG_LLM": "http://127.0.0.1:8080/v1#tiny"}, {})
    assert (str(chosen.endpoint), chosen.models) == ("http://127.0.0.1:8080/v1#tiny", (EMBEDDER,))
    assert settings.load({}, {}).endpoint is None
    with pytest.raises(QuestionError, match="set RAG_LLM to one such as http"):
        settings.load({"RAG_LLM": "http://"}, {})


def test_the_key_is_never_shown() -> None:
    chosen = settings.load({"RAG_LLM_KEY": " sk-s3cret\n"}, {})
    assert chosen.llm_key.reveal() == "sk-s3cret"
    shown = [str(chosen), repr(asdict(chosen)), f"{chosen.llm_key}", json.dumps(asdict(chosen), default=str)]
    assert all("s3cret" not in text for text in shown)
    assert (str(chosen.llm_key), str(Settings().llm_key)) == ("set", "not set")
    assert chosen != Settings(home=chosen.home)
    with pytest.raises(QuestionError, match="set RAG_LLM_KEY to the key alone") as caught:
        settings.load({"RAG_LLM_KEY": "sk-s3cret\nX-Header: a"}, {})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(("text", "meant"), [("1", True), ("Yes", True), ("true", True), ("0", False), ("off", False)])
def test_a_variable_accepts_several_words_for_true_and_false(text: str, meant: bool) -> None:
    assert settings.load({"RAG_LOG_QUESTIONS": text}, {}).log_questions is meant


def test_layers_on_a_gpu_are_a_number_or_left_to_the_machine(tmp_path: Path) -> None:
    file = tmp_path / "rag.toml"
    chosen = [settings.load({"RAG_HOME": str(tmp_path)}, {})]
    for text in ('gpu_layers = "auto"', "gpu_layers = 0", "gpu_layers = 20", 'gpu_layers = "20"'):
        file.write_text(text)
        chosen.append(settings.load({"RAG_HOME": str(tmp_path)}, {}))
    chosen.append(settings.load({"RAG_HOME": str(tmp_path), "RAG_GPU_LAYERS": "7"}, {}))
    chosen.append(settings.of(tmp_path, {"gpu_layers": 8}))
    assert [one.most_gpu_layers for one in chosen] == [None, None, 0, 20, 20, 7, 8]
    for text in ("gpu_layers = true", "gpu_layers = 1.5"):
        file.write_text(text)
        with pytest.raises(QuestionError, match='must be a whole number, or "auto"'):
            settings.load({"RAG_HOME": str(tmp_path)}, {})
    for wrong in ("all", "-1", "", "１"):
        with pytest.raises(QuestionError, match=r"set RAG_GPU_LAYERS or --gpu-layers, .* to auto or a number of layers"):
            settings.load({"RAG_HOME": str(tmp_path / "none"), "RAG_GPU_LAYERS": wrong}, {})


def test_a_flag_wins_over_a_variable_and_that_over_the_file_and_that_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "rag.toml"
    file.write_text("passages = 5\nport = 5\nmin_confidence = 1\nthreads = 5\n")
    environment, flags = {"RAG_HOME": str(tmp_path), "RAG_PASSAGES": "6", "RAG_PORT": "6"}, {"passages": 7, "host": None}
    chosen = settings.load(environment, flags)
    assert (chosen.passages, chosen.port, chosen.threads, chosen.min_confidence) == (7, 6, 5, 1.0)
    origins = settings.origins(environment, flags)
    assert set(origins) == {field.name for field in fields(Settings)}
    assert {origins["passages"], origins["port"], origins["threads"]} == {"--passages", "RAG_PORT", str(file)}
    assert (origins["home"], origins["host"]) == ("RAG_HOME", "default")


def test_the_file_is_read_from_the_chosen_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rag.toml").write_text("passages = 5")
    assert settings.load({}, {}).passages == 5
    assert settings.load({}, {"home": str(tmp_path / "other")}).passages == 4


def test_the_file_cannot_move_the_home_or_hold_the_key(tmp_path: Path) -> None:
    for name, hint in {"home": "set RAG_HOME or --home", "llm_key": "set RAG_LLM_KEY"}.items():
        (tmp_path / "rag.toml").write_text(f'{name} = "s3cret"')
        with pytest.raises(QuestionError, match=f"{name} cannot be set in .*rag.toml; remove it there, and {hint}") as caught:
            settings.load({"RAG_HOME": str(tmp_path)}, {})
        assert "s3cret" not in str(caught.value)


def test_a_working_directory_that_is_gone_is_one_line_and_matters_only_where_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for environment in ({}, {"RAG_HOME": "docs"}):
        with pytest.raises(QuestionError, match="working directory is gone; change to another one, or set RAG_HOME or --home"):
            settings.load(environment, {})
    assert settings.load({"RAG_HOME": str(tmp_path)}, {}).home == tmp_path


def test_there_are_at_most_twenty_settings_and_each_has_a_description() -> None:
    table = fields(Settings)
    assert len(table) <= 20
    assert all(field.metadata["about"] for field in table)


def test_origins_are_named_as_browsers_write_them() -> None:
    chosen = settings.load({"RAG_CORS_ORIGINS": "https://A.example, http://localhost:3000"}, {})
    assert chosen.origins == ("https://a.example", "http://localhost:3000")
    assert Settings().origins == ()
    for wrong in ("*", "https://*.example", "a.example", "https://a.example/", "null", "file://x"):
        with pytest.raises(QuestionError, match="which is not an origin; set RAG_CORS_ORIGINS to origins such as"):
            settings.load({"RAG_CORS_ORIGINS": wrong}, {})
