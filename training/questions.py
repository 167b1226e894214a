"""Readers of the public data sets of questions, in their published formats; training/README.md has the sources."""

import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path

from rag.types import Span
from training.examples import Asked, located
from training.rows import lines, table


def idkmrc(folder: Path) -> Iterator[Asked]:
    """IDK-MRC's training split, Indonesian: 4,290 of 9,332 questions are one-word edits that the passage does not answer."""
    for row in lines(folder / "idkmrc.train.jsonl"):
        for question in row["questions"]:
            answers = [(answer["text"], answer["start"]) for answer in question["answers"]]
            yield from _asked("idkmrc", question["question"], row["text"], answers)


def squad(folder: Path) -> Iterator[Asked]:
    """All files in the format of SQuAD in the folder; some data sets have several files."""
    for path in sorted(folder.glob("*.json")):
        for article in json.loads(path.read_text("utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    given = () if question.get("is_impossible") else question["answers"]
                    answers = [(answer["text"], answer["answer_start"]) for answer in given]
                    yield from _asked(folder.name, question["question"], paragraph["context"], answers)


def iapp(folder: Path) -> Iterator[Asked]:
    """iapp-wiki-qa: Thai questions on whole articles; the training split."""
    with zipfile.ZipFile(folder / "data.zip") as archive, archive.open("data/train.jsonl") as file:
        for line in file:
            row = json.loads(line)
            answers = list(zip(row["answers"]["text"], row["answers"]["answer_start"], strict=False))
            yield from _asked("iapp", row["question"], row["context"], answers)


def qed(folder: Path) -> Iterator[Asked]:
    """QED: English questions from a search engine, a part of Natural Questions."""
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
    """SQuAD questions about a passage in another language, for each (language of question, of passage) in `pairs`."""
    rows = list(lines(folder / "parallel.jsonl"))
    for asking, reading in pairs:
        for row in rows:
            if (question := row.get(asking)) and (passage := row.get(reading)):
                if passage["is_impossible"] != (not passage["answers"]):
                    continue  # the translation lost the answer
                answers = [(answer["text"], answer["answer_start"]) for answer in passage["answers"]]
                yield from _asked(f"parallel-{asking}-{reading}", question["question"], passage["context"], answers)


def onestop(folder: Path) -> Iterator[Asked]:
    """OneStopQA: news at three reading levels, with `<A1>` to `</A1>` around the answer to the first question."""
    for path in sorted(folder.glob("*.txt")):
        for paragraph in path.read_text("utf-8").split("# Paragraph")[1:]:
            questions = re.findall(r"^\s*Q\d?:\s*(.+)$", paragraph, re.MULTILINE)
            for level in re.findall(r"^\s*(?:Adv|Int|Ele):\s*(.+)$", paragraph, re.MULTILINE):
                passage, places = _unmarked(level.strip())
                for number, question in enumerate(questions[:3], 1):
                    if answers := places.get(f"A{number}"):
                        yield Asked("onestopqa", question.strip(), passage, tuple(answers))


def _unmarked(text: str) -> tuple[str, dict[str, list[Span]]]:
    """The text without marks, and the ranges of each mark."""
    parts = re.split(r"<(/?)([AD]\d)>", text)
    plain, opened, found = parts[0], dict[str, int](), defaultdict[str, list[Span]](list)
    for closing, mark, following in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        if not closing:
            opened[mark] = len(plain)
        elif mark in opened and plain[opened[mark] :].strip():
            start = opened.pop(mark)
            held = plain[start:]
            found[mark].append(Span(start + len(held) - len(held.lstrip()), start + len(held.rstrip())))
        plain += following
    return plain, found


def fairytale(folder: Path) -> Iterator[Asked]:
    """FairytaleQA: many questions why and how. The range of an answer is known if its words occur once in the section."""
    for path in sorted(folder.glob("data-by-train-split/questions/*/*-questions.csv")):
        story = path.parents[2] / "section-stories" / path.parent.name / path.name.replace("-questions", "-story")
        sections = {row["section"]: " ".join(row["text"].split()) for row in table(story)}
        for row in table(path):
            passage = sections.get(row["cor_section"].strip())
            if passage and row["local-or-sum"] == "local":
                yield Asked("fairytaleqa", row["question"].strip(), passage, _once(passage, row["answer1"]))


def _once(passage: str, answer: str) -> tuple[Span, ...] | None:
    """The range of an answer that occurs once; else None."""
    words = " ".join(answer.split()).rstrip(".").lower()
    low = passage.lower()
    if len(words) < 3 or len(low) != len(passage) or low.count(words) != 1:
        return None
    start = low.index(words)
    return (Span(start, start + len(words)),)


def boolq(folder: Path) -> Iterator[Asked]:
    """BoolQ's development split: yes-or-no questions with a passage that answers."""
    for row in lines(folder / "dev.jsonl"):
        question = row["question"].strip()
        yield Asked("boolq", question[:1].upper() + question[1:].rstrip("?") + "?", row["passage"], None)


def quoref(folder: Path) -> Iterator[Asked]:
    """Quoref's development split, in the format of SQuAD without `data`: questions that need coreference."""
    for article in json.loads((folder / "quoref.json").read_text("utf-8")):
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                answers = [(answer["text"], answer["answer_start"]) for answer in question["answers"]]
                if answers and not question.get("is_impossible"):
                    yield from _asked("quoref", question["question"], paragraph["context"], answers)


def selqa(folder: Path) -> Iterator[Asked]:
    """SelQA's development split: the sentences of a section that answer a question."""
    for row in json.loads((folder / "selqa-ass-dev.json").read_text("utf-8")):
        ends = list(accumulate(len(sentence) + 1 for sentence in row["candidates"]))
        spans = tuple(Span(ends[i] - 1 - len(row["candidates"][i]), ends[i] - 1) for i in sorted(row["answers"]))
        if spans:
            yield Asked("selqa", row["question"].strip(), " ".join(row["candidates"]), spans)


def _asked(source: str, question: str, passage: str, answers: Iterable[tuple[str, int]]) -> Iterator[Asked]:
    answers = list(answers)
    places = {place for text, start in answers if (place := located(passage, text, start))}
    if question.strip() and bool(answers) == bool(places):
        yield Asked(source, question, passage, tuple(sorted(places, key=lambda place: place.start)))
