"""Addresses of the web and of mail in what a model writes: it may copy one that its passage has, and make up none. Pure.

What an answer may hold, token by token, so that what may not stand there is not even shown while it is written. Pure.

The likeliest token that the rule lets through is written. llama.cpp's own means do less: a bias is of a token, not of text, and
a grammar knows no passage, and goes through all of the vocabulary for each token.
"""

import codecs
import re
from collections.abc import Iterable

# Endings of names that stand in texts without `https://` or `www.`; of others a name cannot be told from `akhir.Awal`.
_ENDINGS = "com|net|org|info|biz|edu|gov|mil|id|my|sg|io|co|ai|app|dev|me|ly|gl|link|click|site|online|shop|top|xyz|ru|cn|tk"
_ADDRESS = re.compile(
    r"(?:\b[a-z][a-z0-9+]*://|\bwww\.)\S*"
    r"|\b[\w.+-]+@\w[\w.-]*"
    rf"|\b\w[\w-]*(?:\.[\w-]+)*\.(?:{_ENDINGS})\b(?:[/?#:]\S*)?",
    re.IGNORECASE,
)
# What may follow an address in a sentence.
_AFTER = ".,;:!?)]}>*_'\"»”’"


def foreign(text: str, passage: str, since: int = 0) -> bool:
    """Whether the text has an address, ending after the offset `since`, that does not stand in the passage."""
    found = (match[0] for match in _ADDRESS.finditer(text) if match.end() > since)
    return any(address.rstrip(_AFTER).casefold() not in passage.casefold() for address in found)


# Characters before a token that are looked at: no address or marker is longer.
_LOOKED_AT = 240
# A run of so many letters and digits of the instructions is one of theirs; ordinary words in common are shorter.
_RUN = 24
# Notes that a document's author made, `[12]`; a bracket; and one with a number in it, as far as it is written.
_NOTE = re.compile(r"[\[［【]\s*\^?\d+\s*[\]］】]")
_BRACKET = re.compile(r"[\[［【]")
_NUMBERED = re.compile(r"[\[［【]\s*\^?\d[^\]］】]*[\]］】]?")
# What other models' templates are made of; those of the model itself are its control tokens.
_TEMPLATE = re.compile(
    r"<[|｜]|</?s>|<</?SYS|\[/?INST|<(?:start|end)_of_turn|<(?:bos|eos)>|^\s*(?:user|assistant|system):",
    re.IGNORECASE | re.MULTILINE,
)
_NO_LETTER = re.compile(r"[\W_]+")


class Instructions:
    """The texts of the prompts and the control tokens' names, which are nobody's answer."""

    def __init__(self, texts: Iterable[str], control: Iterable[str]) -> None:
        texts = list(texts)
        self.letters = " ".join(_letters(text) for text in texts)
        names = {re.escape(name) for name in control if name.strip()}
        labels = {rf"^\s*{label}:" for text in texts for label in re.findall(r"^(\w+):", text, re.MULTILINE)}
        # Of nothing at all a pattern would find everything.
        self._markers = re.compile("|".join(sorted(names | labels)) or r"(?!)", re.MULTILINE)

    def has_marker(self, text: str) -> bool:
        """Whether the name of a control token stands there, or a line begins as one of the prompts does."""
        return bool(self._markers.search(text) or _TEMPLATE.search(text))


class Rule:
    """For one answer: no marker of a citation, a template or a prompt, and no address but the passage's own."""

    def __init__(self, instructions: Instructions, instruction: str, passage: str) -> None:
        self._instructions, self._passage = instructions, passage
        self._without_notes = _NOTE.sub("", passage)
        self._letters, self._of_passage = instructions.letters + " " + _letters(instruction), _letters(passage)

    def allows(self, before: str, added: str) -> bool:
        """Whether what was written `before` may go on so."""
        before = before[-_LOOKED_AT:]
        text = before + added
        if self._instructions.has_marker(text) or foreign(text, self._passage, len(before)):
            return False
        return not self._has_brackets_of_its_own(text, len(before))

    def recites(self, before: str, added: str) -> bool:
        """Whether what was written `before` would go on to a run of letters from the instructions, and not from the passage."""
        text = before[-_LOOKED_AT:] + added
        letters = _letters(text)[-_RUN - len(added) :]
        runs = (letters[start : start + _RUN] for start in range(len(letters) - _RUN + 1))
        return any(run in self._letters and run not in self._of_passage for run in runs)

    def _has_brackets_of_its_own(self, text: str, since: int) -> bool:
        """Brackets are the program's, for citations; the model may copy some of the passage, but for its notes."""
        if _BRACKET.search(text, since) and not _BRACKET.search(self._without_notes):
            return True
        return any(found[0] not in self._without_notes for found in _NUMBERED.finditer(text) if found.end() > since)


class Draft:
    """An answer as it is written: bytes come in, characters go out. It `is_over` where the model recites its instructions.

    Who only leaves out the next word of a recital hears the same in other words.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule, self._text, self.is_over = rule, "", False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def take(self, piece: bytes) -> str | None:
        """The characters that the piece completes; None where the rule has it otherwise, and then it is not taken."""
        before = self._decoder.getstate()
        added = self._decoder.decode(piece)
        self.is_over = self.is_over or self._rule.recites(self._text, added)
        if self.is_over or (added and not self._rule.allows(self._text, added)):
            self._decoder.setstate(before)
            return None
        self._text += added
        return added


def _letters(text: str) -> str:
    return _NO_LETTER.sub("", text.casefold())
