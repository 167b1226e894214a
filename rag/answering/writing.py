"""Checks the text of an answer token by token, so that nothing forbidden is shown even while it is written. Pure.

An answer has no citation markers, template tokens or instructions, and no addresses that its passage lacks. The likeliest token
that the rule allows is written. llama.cpp's own means do less: a bias applies to a token, not to text, and a grammar knows no
passage and checks the whole vocabulary for each token.
"""

import codecs
import re
from collections.abc import Iterable

# Characters before a token that are checked with it: no address or marker is longer.
_LOOKED_AT = 240
# Copying so many letters and digits in a row from the instructions is reciting them; chance matches are shorter.
_RUN = 24
# A document's own notes, `[12]`; any opening bracket; and a bracket with a number, complete or not.
_NOTE = re.compile(r"[\[［【]\s*\^?\d+\s*[\]］】]")
_BRACKET = re.compile(r"[\[［【]")
_NUMBERED = re.compile(r"[\[［【]\s*\^?\d[^\]］】]*[\]］】]?")
# Parts of other models' chat templates. The model's own are its control tokens.
_TEMPLATE = re.compile(
    r"<[|｜]|</?s>|<</?SYS|\[/?INST|<(?:start|end)_of_turn|<(?:bos|eos)>|^\s*(?:user|assistant|system):",
    re.IGNORECASE | re.MULTILINE,
)
_NO_LETTER = re.compile(r"[\W_]+")


class Instructions:
    """The texts of the prompts and the names of control tokens, which must not be in an answer."""

    def __init__(self, texts: Iterable[str], control: Iterable[str]) -> None:
        texts = list(texts)
        self.letters = " ".join(_letters(text) for text in texts)
        names = {re.escape(name) for name in control if name.strip()}
        labels = {rf"^\s*{label}:" for text in texts for label in re.findall(r"^(\w+):", text, re.MULTILINE)}
        # An empty pattern would match everywhere.
        self._markers = re.compile("|".join(sorted(names | labels)) or r"(?!)", re.MULTILINE)

    def has_marker(self, text: str) -> bool:
        """Whether the text has the name of a control token, or a line that begins with a label of the prompts (`Text:`)."""
        return bool(self._markers.search(text) or _TEMPLATE.search(text))


class Rule:
    """The rule for one answer: no markers of citations, templates or prompts, and no addresses except the passage's own."""

    def __init__(self, instructions: Instructions, instruction: str, passage: str) -> None:
        self._instructions, self._passage = instructions, passage
        self._without_notes = _NOTE.sub("", passage)
        self._letters, self._of_passage = instructions.letters + " " + _letters(instruction), _letters(passage)

    def allows(self, before: str, added: str) -> bool:
        """Whether `added` may follow the text written `before`."""
        before = before[-_LOOKED_AT:]
        text = before + added
        if self._instructions.has_marker(text) or foreign(text, self._passage, len(before)):
            return False
        return not self._has_brackets_of_its_own(text, len(before))

    def recites(self, before: str, added: str) -> bool:
        """Whether, with `added`, the text recites a run of letters that is in the instructions and not in the passage."""
        text = before[-_LOOKED_AT:] + added
        letters = _letters(text)[-_RUN - len(added) :]
        runs = (letters[start : start + _RUN] for start in range(len(letters) - _RUN + 1))
        return any(run in self._letters and run not in self._of_passage for run in runs)

    def _has_brackets_of_its_own(self, text: str, since: int) -> bool:
        """Whether there is a bracket that the passage lacks, or a note's number. Brackets are reserved for citations."""
        if _BRACKET.search(text, since) and not _BRACKET.search(self._without_notes):
            return True
        return any(found[0] not in self._without_notes for found in _NUMBERED.finditer(text) if found.end() > since)


class Draft:
    """An answer as it is written: bytes come in, characters go out.

    `is_over` is set if the model recites its instructions: the answer ends there, because a model that is only denied the next
    word of a recital says the same in other words.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule, self._text, self.is_over = rule, "", False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def take(self, piece: bytes) -> str | None:
        """The characters that the piece completes, or None if the rule forbids them: then the draft is unchanged."""
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


# Addresses

# Domains written without `https://` or `www.` are recognised by these endings: others look like `akhir.Awal`.
_ENDINGS = "com|net|org|info|biz|edu|gov|mil|id|my|sg|io|co|ai|app|dev|me|ly|gl|link|click|site|online|shop|top|xyz|ru|cn|tk"
_ADDRESS = re.compile(
    r"(?:\b[a-z][a-z0-9+]*://|\bwww\.)\S*"
    r"|\b[\w.+-]+@\w[\w.-]*"
    rf"|\b\w[\w-]*(?:\.[\w-]+)*\.(?:{_ENDINGS})\b(?:[/?#:]\S*)?",
    re.IGNORECASE,
)
# Punctuation that may follow an address in a sentence.
_AFTER = ".,;:!?)]}>*_'\"»”’"


def foreign(text: str, passage: str, since: int = 0) -> bool:
    """Whether the text has a web or mail address, ending after the offset `since`, that the passage lacks."""
    found = (match[0] for match in _ADDRESS.finditer(text) if match.end() > since)
    return any(address.rstrip(_AFTER).casefold() not in passage.casefold() for address in found)
