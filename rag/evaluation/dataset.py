"""Questions and the passages that answer them, as JSON lines: read, checked, and laid out as seeds."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.errors import QuestionError
from rag.files import storage_errors


@dataclass(frozen=True, slots=True)
class CorpusPassage:
    """A passage as the corpus gives it; its title, where it has one, stands above the text."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class JudgedQuestion:
    """A question with the ids of the passages that answer it: at least one."""

    id: str
    text: str
    language: str
    relevant: frozenset[str]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A corpus and its questions. `left_out` counts questions that no passage answers: they say nothing about retrieval."""

    passages: tuple[CorpusPassage, ...]
    questions: tuple[JudgedQuestion, ...]
    left_out: int


def read(corpus: Path, questions: Path) -> Dataset:
    """The data set of two files. Raises QuestionError, which names file and line, where one is not as it should be."""
    passages = _passages(corpus)
    judged, left_out = _questions(questions, {passage.id for passage in passages})
    if not judged:
        raise QuestionError(f"{questions} has no question that a passage answers", "give one with `relevant` ids")
    return Dataset(tuple(passages), tuple(judged), left_out)


def write_seeds(passages: Sequence[CorpusPassage], folder: Path) -> dict[str, str]:
    """Write a file for each passage into `folder`; the ids by the files' names. Raises StorageError."""
    names = {f"{number:07}.txt": passage for number, passage in enumerate(passages)}
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, passage in names.items():
            (folder / name).write_text(passage.text, encoding="utf-8", newline="")
    return {name: passage.id for name, passage in names.items()}


def _passages(path: Path) -> list[CorpusPassage]:
    seen: set[str] = set()
    passages = []
    for line, row in _rows(path):
        identity, title, text = _text(row, "id", line), _text(row, "title", line, least=None), _text(row, "text", line)
        if identity in seen:
            raise _wrong(line, f"the id {identity} was there before")
        seen.add(identity)
        passages.append(CorpusPassage(identity, f"{title}\n\n{text}" if title else text))
    if not passages:
        raise QuestionError(f"{path} has no passages", "give a file with one on each line")
    return passages


def _questions(path: Path, known: Collection[str]) -> tuple[list[JudgedQuestion], int]:
    judged: dict[str, JudgedQuestion] = {}
    left_out = 0
    for line, row in _rows(path):
        relevant = row.get("relevant")
        if not isinstance(relevant, list) or not all(isinstance(one, str) for one in relevant):
            raise _wrong(line, "`relevant` is not a list of ids")
        if strange := [one for one in relevant if one not in known]:
            raise _wrong(line, f"the corpus has no passage {strange[0]}")
        question = JudgedQuestion(
            _text(row, "id", line), _text(row, "question", line), _text(row, "lang", line), frozenset(relevant)
        )
        if question.id in judged:
            raise _wrong(line, f"the id {question.id} was there before")
        if not relevant or row.get("answerable") is False:
            left_out += 1
        else:
            judged[question.id] = question
    return list(judged.values()), left_out


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Each row with the name of its place, for errors."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionError(f"{path} cannot be read ({error})", "give a file of JSON lines in UTF-8") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{path} line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise _wrong(place, f"this is no JSON ({error})") from error
        if not isinstance(row, dict):
            raise _wrong(place, "this is no JSON object")
        yield place, row


def _text(row: Mapping[str, object], key: str, place: str, *, least: int | None = 1) -> str:
    """The string at `key`; one that may lack where there is no `least` length."""
    value = row.get(key, "" if least is None else None)
    if not isinstance(value, str) or len(value.strip()) < (least or 0):
        raise _wrong(place, f"`{key}` is not a text")
    return value


def _wrong(place: str, problem: str) -> QuestionError:
    return QuestionError(f"{place}: {problem}", "mend the line and run the same command again")
