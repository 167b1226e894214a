"""Each public set as examples, from its files as they are published. training/README.md says where, and on what terms."""

import csv
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rag.types import Span
from training.examples import Asked, Claimed, located

# How each set of claims says that the evidence supports one.
_SUPPORTS = frozenset(
    ["e", "entailment", "attributable", "SUPPORTS", "completely-support", "supported", "Fully attributable", "Entailment"]
)


def idkmrc(folder: Path) -> Iterator[Asked]:
    """IDK-MRC's training split: Indonesian, 4,290 of 9,332 questions are one-word edits that their passage does not answer."""
    for row in lines(folder / "idkmrc.train.jsonl"):
        for question in row["questions"]:
            answers = [(answer["text"], answer["start"]) for answer in question["answers"]]
            yield from _asked("idkmrc", question["question"], row["text"], answers)


def squad(folder: Path) -> Iterator[Asked]:
    """Every file of SQuAD's form in the folder; in some the questions of an article lie in one file of many."""
    for path in sorted(folder.glob("*.json")):
        for article in json.loads(path.read_text("utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    answers = [(answer["text"], answer["answer_start"]) for answer in question["answers"]]
                    yield from _asked(folder.name, question["question"], paragraph["context"], answers)


def iapp(folder: Path) -> Iterator[Asked]:
    """iapp-wiki-qa: Thai questions on whole articles; the training split."""
    with zipfile.ZipFile(folder / "data.zip") as archive, archive.open("data/train.jsonl") as file:
        for line in file:
            row = json.loads(line)
            answers = list(zip(row["answers"]["text"], row["answers"]["answer_start"], strict=False))
            yield from _asked("iapp", row["question"], row["context"], answers)


def qed(folder: Path) -> Iterator[Asked]:
    """QED: English questions to a search engine, of Natural Questions."""
    for row in lines(folder / "qed-dev.clean.jsonl"):
        answers = [(answer["string"], answer["start"]) for group in row["original_nq_answers"] for answer in group]
        yield from _asked("qed", row["question_text"], row["paragraph_text"], answers)


def afriqa(folder: Path) -> Iterator[Asked]:
    """AfriQA: questions in African languages on English and French passages."""
    for path in sorted(folder.glob("*.json")):
        for row in lines(path):
            if not row["context"]:
                continue
            answer = row["answer_pivot"]
            answers = list(zip(answer["text"], answer["answer_start"], strict=False))
            yield from _asked("afriqa", row["question_lang"], row["context"], answers)


def parallel(folder: Path, pairs: Iterable[tuple[str, str]]) -> Iterator[Asked]:
    """SQuAD questions of one language on the passage of another, for each (question's, passage's) of `pairs`."""
    rows = list(lines(folder / "parallel.jsonl"))
    for asking, reading in pairs:
        for row in rows:
            if (question := row.get(asking)) and (passage := row.get(reading)):
                if passage["is_impossible"] != (not passage["answers"]):
                    continue  # the translation lost the answer
                answers = [(answer["text"], answer["answer_start"]) for answer in passage["answers"]]
                yield from _asked(f"parallel-{asking}-{reading}", question["question"], passage["context"], answers)


def plain_questions(folder: Path) -> Iterator[Asked]:
    """Rows of `question`, `passage` and `answers` as [start, end]; null: it answers, and nobody said where."""
    for row in lines(folder / "clean.jsonl"):
        places = row["answers"]
        answers = None if places is None else tuple(Span(start, end) for start, end in sorted(places))
        yield Asked(folder.name, row["question"], row["passage"], answers)


def plain_claims(folder: Path) -> Iterator[Claimed]:
    """Rows of `claim`, `evidence` and `supported`."""
    for row in lines(folder / "clean.jsonl"):
        yield Claimed(folder.name, row["claim"], row["evidence"], row["supported"])


def indonli(folder: Path) -> Iterator[Claimed]:
    """IndoNLI's training split: Indonesian."""
    for row in lines(folder / "train.jsonl"):
        yield Claimed("indonli", row["hypothesis"], row["premise"], row["label"] in _SUPPORTS)


def attributionbench(folder: Path) -> Iterator[Claimed]:
    """AttributionBench's development rows: sentences of generated answers with what they cite. None of HAGRID."""
    for row in lines(folder / "dev.clean.jsonl"):
        if row["src_dataset"] not in {"HAGRID", "LFQA"}:  # the one is measured on, of the other no licence is known
            evidence = "\n\n".join(row["references"])
            yield Claimed("attributionbench", row["claim"], evidence, row["attribution_label"] in _SUPPORTS)


def fever(folder: Path) -> Iterator[Claimed]:
    """FEVER's development rows with their evidence: supported, or refuted."""
    for row in lines(folder / "dev.jsonl"):
        yield Claimed("fever", row["claim"], _detokenised(row["evidence"]), row["label"] in _SUPPORTS)


def fever_symmetric(folder: Path) -> Iterator[Claimed]:
    """Claims written so that their words alone tell nothing."""
    for row in lines(folder / "fever_symmetric_dev.jsonl"):
        claim, evidence = _detokenised(row["claim"]), _detokenised(row["evidence"])
        yield Claimed("fever_symmetric", claim, evidence, row["label"] in _SUPPORTS)


def factcheck(folder: Path) -> Iterator[Claimed]:
    """Factcheck-GPT: claims of a model against passages of the web."""
    for row in lines(folder / "subtask3_claim_evidence_stance.jsonl"):
        yield Claimed("factcheck", row["claim"], row["evidence"], row["stance"] in _SUPPORTS)


def wice(folder: Path) -> Iterator[Claimed]:
    """WiCE: sentences of Wikipedia with the sentences of the page they cite, around those that support."""
    for name in ("claim_dev.jsonl", "nonsupp_tokens_train.jsonl"):
        for row in lines(folder / name):
            sentences, wanted = row["evidence"], row["supporting_sentences"]
            chosen = wanted[0] if wanted and isinstance(wanted[0], list) else wanted
            around = sorted({near for i in chosen for near in (i - 1, i, i + 1) if 0 <= near < len(sentences)})
            evidence = " ".join(sentences[i] for i in around or range(min(8, len(sentences))))
            yield Claimed("wice", row["claim"], evidence, row["label"] in _SUPPORTS)


def begin(folder: Path) -> Iterator[Claimed]:
    """BEGIN: replies of dialogue models against the text they were given."""
    for path in sorted(folder.glob("*.tsv")):
        for row in _table(path, "\t"):
            yield Claimed("begin", row["response"], row["knowledge"], row["begin_label"] in _SUPPORTS)


def faithdial(folder: Path) -> Iterator[Claimed]:
    """FaithDial's audit: as BEGIN, of three sets of dialogues."""
    for path in sorted(folder.glob("*.csv")):
        for row in _table(path, ","):
            yield Claimed("faithdial", row["response"], row["evidence"], row["BEGIN"] in _SUPPORTS)


def _asked(source: str, question: str, passage: str, answers: Iterable[tuple[str, int]]) -> Iterator[Asked]:
    answers = list(answers)
    places = {place for text, start in answers if (place := located(passage, text, start))}
    if question.strip() and bool(answers) == bool(places):
        yield Asked(source, question, passage, tuple(sorted(places, key=lambda place: place.start)))


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _table(path: Path, delimiter: str) -> Iterator[Mapping[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter=delimiter)


def _detokenised(text: str) -> str:
    """FEVER's sentences without its brackets' names and the blanks before its points."""
    for theirs, ours in (("-LRB-", "("), ("-RRB-", ")"), ("-LSB-", "["), ("-RSB-", "]"), ("``", '"'), ("''", '"')):
        text = text.replace(theirs, ours)
    for sign in (".", ",", ";", ":", "'s", "?", "!", ")"):
        text = text.replace(f" {sign}", sign)
    return text.replace("( ", "(")
