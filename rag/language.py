"""Detects the language of a text. The only importer of py3langid.

What is known of each language is elsewhere: its phrases and words in `prompts/language/CODE.toml` (to add a language, add that
file), stemmers and abbreviations in `text.py`.

py3langid was the best of three on the development questions, and the lightest. Shares of questions detected correctly:
belebele-id 0.894, idkmrc 0.782, belebele-zh 0.963, -en 1.000, -th 1.000; lingua 0.755, 0.705, 1.000, 0.998, 0.993 with 1 GB of
memory. It confuses related languages (Indonesian and Malay), so a question's language leans to those of the documents.
"""

import io
import lzma
from array import array
from collections.abc import Collection
from zipfile import ZipFile

import numpy as np
from py3langid import langid

from rag.stopping import once

# Characters of a text that are read: more change nothing and cost time.
_SAMPLE = 4000
# Codes of py3langid that stand for a language that is known by another code.
_ALIASES = {"nb": "no", "nn": "no", "wuu": "zh", "yue": "zh"}
# Added to the log-odds of the documents' languages. py3langid's scores grow with length, so this decides only close calls.
# Measured on the development questions, leaning to Indonesian: with 8, idkmrc rises from 0.782 to 0.988 and belebele-id from
# 0.894 to 0.998, and no English, Thai or Chinese question is lost; from 10 on, English questions are lost.
_LEAN = 8.0
UNKNOWN = "und"
# Without its names, a question must have this many words left.
_LEAST_WORDS = 3


class _Detector:
    """py3langid's identifier, loaded on first use."""

    @once
    def identifier(self) -> langid.LanguageIdentifier:
        """py3langid's own model, unpacked in large pieces.

        py3langid itself releases the interpreter lock about 1000 times while it unpacks, and beside other threads waits for it
        as often.
        """
        packed = (langid.MODEL_DIR / langid.MODEL_FILE).read_bytes()
        with ZipFile(io.BytesIO(lzma.decompress(packed))) as archive:
            made = {name: np.load(io.BytesIO(archive.read(name))) for name in archive.namelist()}
        moves, rows = (array(made[name].dtype.char, made[name].tobytes()) for name in ("nextmove.npy", "nextmove_row.npy"))
        return langid.LanguageIdentifier(
            made["ptc.npy"], made["pc.npy"], made["classes.npy"].tolist(), moves, made["out_feat.npy"].tolist(), tk_row=rows
        )


_DETECTOR = _Detector()


def load() -> None:
    """Load the model that `detect` uses: half a second of one core, most of it without the interpreter lock."""
    _ = _DETECTOR.identifier


def detect(text: str, leaning: Collection[str] = ()) -> str:
    """The ISO 639 code of the text's language, `und` if it has no letters. Close calls go to a language of `leaning`."""
    sample = text[:_SAMPLE]
    if not any(character.isalpha() for character in sample):
        return UNKNOWN
    scores: dict[str, float] = dict(_DETECTOR.identifier.rank(sample))
    best = max(scores, key=lambda code: scores[code] + (_LEAN if code in leaning else 0.0))
    return _ALIASES.get(best, best)


def of_question(question: str, leaning: Collection[str] = ()) -> str:
    """The language of a question, detected without its names: "When was Ari Sudrajat born?" is English.

    A name is a word with a capital letter that does not begin the question. Of the development questions, leaning to
    Indonesian, .997 of idkmrc are detected correctly (with names .988), .976 of nomiracl (.959) and .959 of HAGRID's English
    ones (.942), and none is lost elsewhere.
    """
    first, *others = question.split() or [""]
    plain = [first, *(word for word in others if not word[0].isupper())]
    return detect(" ".join(plain) if len(plain) >= _LEAST_WORDS else question, leaning)
