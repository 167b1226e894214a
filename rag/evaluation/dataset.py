"""Data sets of the evaluations: a corpus, questions and claims, read from JSON lines, checked, and indexed as documents.

Each passage of a corpus becomes a document in a home of its own, which the product's own build indexes.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.engine import Engine
from rag.errors import QuestionError
from rag.files import storage_errors
from rag.indexing.protocol import Progress


@dataclass(frozen=True, slots=True)
class CorpusPassage:
    """A passage of the corpus. `text` begins with the title, if there is one."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class JudgedQuestion:
    """A question with the ids of the passages that answer it (`relevant`), and the answers that people wrote.

    `paired` and `pool` are passages that people judged not to answer it: a similar one, and results of a search. `evidence` are
    sentences of the relevant passages, chosen by people. A question that is not `standalone` makes sense only with a list of
    answers to choose from.
    """

    id: str
    text: str
    language: str
    relevant: tuple[str, ...]
    answers: tuple[str, ...] = ()
    paired: tuple[str, ...] = ()
    pool: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    standalone: bool = True


@dataclass(frozen=True, slots=True)
class AskedData:
    """A corpus and its standalone questions. `left_out` counts the questions that are not standalone."""

    passages: tuple[CorpusPassage, ...]
    answerable: tuple[JudgedQuestion, ...]
    unanswerable: tuple[JudgedQuestion, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """A corpus and its answerable questions. `left_out` counts the unanswerable ones, which say nothing about retrieval."""

    passages: tuple[CorpusPassage, ...]
    questions: tuple[JudgedQuestion, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim in an answer to the question of this id, with the ids of the passages that it cites (at least one).

    `attributable` is a person's verdict: whether these passages support the claim.
    """

    question: str
    language: str
    text: str
    cited: tuple[str, ...]
    attributable: bool


@dataclass(frozen=True, slots=True)
class JudgeData:
    """A data set for a judge: also the unanswerable questions, and claims.

    `claims` is None if no file of claims was given. `uncited` counts claims that were left out because they cite nothing.
    """

    retrieval: Dataset
    unanswerable: tuple[JudgedQuestion, ...]
    claims: tuple[Claim, ...] | None
    uncited: int


def read(corpus: Path, questions: Path) -> Dataset:
    """Read the data set of `rag eval retrieval`. Raises QuestionError with the file and line for invalid data."""
    passages = _passages(corpus)
    judged, unanswerable = _questions(questions, {passage.id for passage in passages})
    if not judged:
        raise QuestionError(f"{questions} has no question that a passage answers", "give one with `relevant` ids")
    return Dataset(tuple(passages), tuple(judged), len(unanswerable))


def read_for_judge(corpus: Path, questions: Path, claims: Path | None) -> JudgeData:
    """Read the data set of `rag eval judge`. Raises as `read` does."""
    passages = _passages(corpus)
    known = {passage.id for passage in passages}
    judged, unanswerable = _questions(questions, known)
    if not judged and not any(question.paired or question.pool for question in unanswerable):
        hint = "give questions with `relevant` ids, or unanswerable ones with `paired` or `pool` ids"
        raise QuestionError(f"{questions} contains no question with a passage to judge", hint)
    languages = {question.id: question.language for question in (*judged, *unanswerable)}
    cited, uncited = _claims(claims, languages, known) if claims else (None, 0)
    return JudgeData(Dataset(tuple(passages), tuple(judged), len(unanswerable)), tuple(unanswerable), cited, uncited)


def read_to_ask(corpus: Path, questions: Path) -> AskedData:
    """Read the data set of `rag eval answers`. Raises as `read` does."""
    passages = _passages(corpus)
    kinds = _questions(questions, {passage.id for passage in passages})
    answerable, unanswerable = (tuple(question for question in kind if question.standalone) for kind in kinds)
    if not answerable and not unanswerable:
        raise QuestionError(f"{questions} has no question that can be asked", "give one that is not `standalone: false`")
    left_out = sum(map(len, kinds)) - len(answerable) - len(unanswerable)
    return AskedData(tuple(passages), answerable, unanswerable, left_out)


def write_seeds(passages: Sequence[CorpusPassage], folder: Path) -> dict[str, str]:
    """Write a file for each passage into `folder`. Returns the ids by file name.

    Raises QuestionError if the folder has other documents, which would be found too, and StorageError.
    """
    names = {f"{number:07}.txt": passage for number, passage in enumerate(passages)}
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if strange := sorted({path.name for path in folder.glob("[!.]*")} - names.keys()):
            raise QuestionError(f"{folder} has other documents, such as {strange[0]}", "choose another folder for this corpus")
        for name, passage in names.items():
            (folder / name).write_text(passage.text, encoding="utf-8", newline="")
    return {name: passage.id for name, passage in names.items()}


def _passages(path: Path) -> list[CorpusPassage]:
    seen: set[str] = set()
    passages = []
    for line, row in _rows(path):
        identity, title, text = _text(row, "id", line), _text(row, "title", line, least=None), _text(row, "text", line)
        if identity in seen:
            raise _wrong(line, f"duplicate id {identity}")
        seen.add(identity)
        passages.append(CorpusPassage(identity, f"{title}\n\n{text}" if title else text))
    if not passages:
        raise QuestionError(f"{path} has no passages", "give a file with one passage on each line")
    return passages


def _questions(path: Path, known: Collection[str]) -> tuple[list[JudgedQuestion], list[JudgedQuestion]]:
    """The answerable questions, and the unanswerable ones."""
    judged: dict[str, JudgedQuestion] = {}
    unanswerable: dict[str, JudgedQuestion] = {}
    for line, row in _rows(path):
        question = JudgedQuestion(
            relevant=_ids(row, "relevant", line, known),
            id=_text(row, "id", line),
            text=_text(row, "question", line),
            language=_text(row, "lang", line),
            answers=_texts(row, "answers", line, "strings") if "answers" in row else (),
            paired=_ids(row, "paired", line, known) if "paired" in row else (),
            pool=_ids(row, "pool", line, known) if "pool" in row else (),
            evidence=_texts(row, "evidence", line, "strings") if "evidence" in row else (),
            standalone=row.get("standalone") is not False,
        )
        if question.id in judged or question.id in unanswerable:
            raise _wrong(line, f"duplicate id {question.id}")
        kind = unanswerable if not question.relevant or row.get("answerable") is False else judged
        kind[question.id] = question
    return list(judged.values()), list(unanswerable.values())


def _claims(path: Path, languages: Mapping[str, str], known: Collection[str]) -> tuple[tuple[Claim, ...], int]:
    """The claims that cite something, and the number of those that do not. `languages` are those of the questions, by id."""
    claims: list[Claim] = []
    uncited = 0
    for line, row in _rows(path):
        question, attributable = _text(row, "question_id", line), row.get("attributable")
        if not isinstance(attributable, bool):
            raise _wrong(line, "`attributable` is neither true nor false")
        claim = Claim(
            question,
            _language_of(question, languages, line),
            _text(row, "claim", line),
            _ids(row, "cited", line, known),
            attributable,
        )
        if claim.cited:
            claims.append(claim)
        else:
            uncited += 1
    if not claims:
        raise QuestionError(f"{path} has no claim that cites a passage", "give one with `cited` ids")
    return tuple(claims), uncited


def _language_of(question: str, languages: Mapping[str, str], place: str) -> str:
    """The language of the claim's question; if that question is missing, the common language of all questions.

    In hagrid it can be missing: the file has only answerable questions, and claims about others too.
    """
    spoken = set(languages.values())
    if question not in languages and len(spoken) > 1:
        raise _wrong(place, f"there is no question {question}, so the language is unknown")
    return languages.get(question) or spoken.pop()


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The rows, each with its file and line for errors."""
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
            raise _wrong(place, f"not valid JSON ({error})") from error
        if not isinstance(row, dict):
            raise _wrong(place, "not a JSON object")
        yield place, row


def _text(row: Mapping[str, object], key: str, place: str, *, least: int | None = 1) -> str:
    """The string at `key`, of at least `least` characters; without `least` it may be missing."""
    value = row.get(key, "" if least is None else None)
    if not isinstance(value, str) or len(value.strip()) < (least or 0):
        raise _wrong(place, f"`{key}` is not a string, or is empty")
    return value


def _texts(row: Mapping[str, object], key: str, place: str, what: str) -> tuple[str, ...]:
    values = row.get(key)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise _wrong(place, f"`{key}` is not a list of {what}")
    return tuple(values)


def _ids(row: Mapping[str, object], key: str, place: str, known: Collection[str]) -> tuple[str, ...]:
    """The ids at `key`. Raises QuestionError for one that the corpus does not have."""
    ids = _texts(row, key, place, "ids")
    if strange := [one for one in ids if one not in known]:
        raise _wrong(place, f"the corpus has no passage {strange[0]}")
    return ids


def _wrong(place: str, problem: str) -> QuestionError:
    return QuestionError(f"{place}: {problem}", "fix the line and run the same command again")


@dataclass(frozen=True, slots=True)
class IndexedCorpus:
    """An engine over an indexed corpus. `ids` are the ids of the passages, by path of their documents."""

    engine: Engine
    ids: Mapping[str, str]


def index(engine: Engine, passages: Sequence[CorpusPassage], home: Path, progress: Progress) -> IndexedCorpus:
    """Index the passages in `home` with the models of `engine`. An index that is already there is updated.

    Raises QuestionError if the home has other documents, and what a build raises.
    """
    over = engine.at(home)
    ids = write_seeds(passages, over.settings.seeds)
    over.rebuild(progress)
    return IndexedCorpus(over, ids)
