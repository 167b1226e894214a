"""Open questions made from passages: what somebody said, why something happened, what something is.

Public data sets ask for names, dates and numbers. A sentence that reports who said what, or why, contains a question and its
answer. Both are extracted by patterns in Indonesian and English; some questions are in the other language than the passage.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.types import Span
from training.examples import Asked

_NAME = r"[A-Z][\w'’-]+(?:[ -](?:of|the|van|bin|de|dan|and)?[ ]?[A-Z][\w'’-]+){0,5}"
_SENTENCE = re.compile(r"[^.!?\n]{30,400}[.!?]")
_CAPITALISED = re.compile(rf"{_NAME}|\d{{3,}}")
# Words of a topic without a name: long ones carry the meaning.
_LONG = re.compile(r"\b[^\W\d_]{6,}(?: [^\W\d_]{5,})?\b")


@dataclass(frozen=True, slots=True)
class _Grammar:
    """The patterns of one language. Groups: `said` who, what; `why` before, because; `defined` name, rest."""

    said: re.Pattern[str]
    why: re.Pattern[str]
    defined: re.Pattern[str]


_INDONESIAN = _Grammar(
    re.compile(
        rf"(?P<who>{_NAME})(?:, [^,]{{3,60}},)? (?:juga |telah |kemudian |pernah )?(?:mengatakan|menyatakan|menegaskan|"
        "menjelaskan|mengungkapkan|berpendapat|mengklaim|mengumumkan|menambahkan|menilai|percaya|menulis|menyebutkan|menyimpulkan)"
        ",? (?:bahwa )?(?P<what>.{15,})"
    ),
    re.compile(r"^(?P<before>[A-Z].{15,110}?),? (?P<because>(?:karena|sebab|akibat|disebabkan) .{10,})"),
    re.compile(rf"^(?P<name>{_NAME})(?: \([^)]*\))? (?:adalah|merupakan|ialah) (?P<rest>.{{15,}})"),
)
_ENGLISH = _Grammar(
    re.compile(
        rf"(?P<who>{_NAME})(?:, [^,]{{3,60}},)? (?:also |has |had |later )?(?:said|says|stated|states|argued|argues|claimed|"
        "claims|believed|believes|announced|wrote|suggested|suggests|proposed|concluded|noted|explained|declared|criticized|warned)"
        ",? (?:that )?(?P<what>.{15,})"
    ),
    re.compile(r"^(?P<before>[A-Z].{15,110}?),? (?P<because>(?:because|due to|as a result of) .{10,})"),
    re.compile(
        rf"^(?:The )?(?!There |It |This |He |She )(?P<name>{_NAME})(?: \([^)]*\))? "
        "(?:is|was|are|were) (?P<rest>(?:an?|the|one) .{15,})"
    ),
)
_GRAMMARS = {"id": _INDONESIAN, "en": _ENGLISH}
_SAID_OF = {
    "id": (
        "Apa yang dikatakan {who} tentang {topic}?",
        "Apa kata {who} soal {topic}?",
        "Bagaimana pendapat {who} mengenai {topic}?",
        "Menurut {who}, bagaimana {topic}?",
        "Apa pernyataan {who} tentang {topic}?",
        "Apa tanggapan {who} terhadap {topic}?",
    ),
    "en": (
        "What did {who} say about {topic}?",
        "What was {who}'s view of {topic}?",
        "According to {who}, what about {topic}?",
        "How did {who} respond to {topic}?",
    ),
}
_WHY = {
    "id": ("Mengapa {before}?", "Kenapa {before}?", "Apa sebab {before}?"),
    "en": ("Why was it that {before}?", "Why is it that {before}?"),
}
_DEFINED = {
    "id": ("Apa itu {name}?", "Jelaskan tentang {name}.", "Ceritakan tentang {name}.", "Apa yang Anda ketahui tentang {name}?"),
    "en": ("What is {name}?", "Tell me about {name}.", "Describe {name}.", "Explain what is known of {name}."),
}


def made(passages: Sequence[tuple[str, str]], rng: random.Random) -> Iterator[Asked]:
    """Questions about (language, passage) pairs; a third is in the other language, if names need no translation."""
    for language, passage in passages:
        for found in _SENTENCE.finditer(passage):
            yield from _of_sentence(language, passage, found, rng)


def _of_sentence(language: str, passage: str, found: re.Match[str], rng: random.Random) -> Iterator[Asked]:
    lead = len(found.group()) - len(found.group().lstrip())
    sentence, at = found.group().strip(), found.start() + lead
    grammar = _GRAMMARS[language]
    asking = rng.choice([language, language, "en" if language == "id" else "id"])
    if said := grammar.said.search(sentence):
        topic = _topic(said["what"], rng)
        if topic:
            question = rng.choice(_SAID_OF[asking]).format(who=_shortened(said["who"], rng), topic=topic)
            yield _asked("said", question, passage, at + said.start("what"), at + len(sentence))
    elif why := grammar.why.search(sentence):
        before = why["before"]
        question = rng.choice(_WHY[language]).format(before=before if before[:2].isupper() else _uncapitalised(before))
        yield _asked("why", question, passage, at + why.start("because"), at + len(sentence))
    elif at == 0 and (defined := grammar.defined.search(sentence)):
        question = rng.choice(_DEFINED[asking]).format(name=defined["name"])
        yield _asked("defined", question, passage, defined.start("rest"), len(sentence))


def _asked(source: str, question: str, passage: str, start: int, end: int) -> Asked:
    return Asked(f"open-{source}", question, passage, (Span(start, end),))


def _topic(said: str, rng: random.Random) -> str | None:
    """A name in the text, or long words of it."""
    named: list[str] = [name for name in _CAPITALISED.findall(said[1:]) if len(name) > 3]
    choices = named or _LONG.findall(said)[:3]
    return rng.choice(choices) if choices else None


def _shortened(who: str, rng: random.Random) -> str:
    """The name as a user might write it: whole, or a part of it."""
    words = who.split(" ")
    return rng.choice([who, who, words[-1], " ".join(words[:2])]) if len(words) > 2 else who


def _uncapitalised(text: str) -> str:
    """The text with a lower-case first letter, unless it begins with a name: the second word is capitalised too."""
    words = text.split(" ", 2)
    return text if len(words) > 1 and words[1][:1].isupper() else text[:1].lower() + text[1:]
