"""Which language a text is in, and what that language is called. The only importer of py3langid.

py3langid was the best of three on the development questions, and the lightest (share of questions named rightly:
belebele-id 0.894, idkmrc 0.782, belebele-zh 0.963, -en 1.000, -th 1.000; lingua: 0.755, 0.705, 1.000, 0.998, 0.993 at 1 GB).
What it gets wrong is near languages (Indonesian taken for Malay), so a question's language leans to those of the documents.
"""

import io
import lzma
from array import array
from collections.abc import Collection
from zipfile import ZipFile

import numpy as np
from py3langid import langid

from rag.stopping import once

# Documents are judged by their beginning: more text changes nothing and costs time.
_SAMPLE = 4000
# Languages whose names readers and models know under another code.
_ALIASES = {"nb": "no", "nn": "no", "wuu": "zh", "yue": "zh"}
# Log-odds given to a language of the documents. py3langid's scores grow with length, so this decides only close calls. Measured
# on the development questions, leaning to Indonesian: at 8 idkmrc goes from 0.782 to 0.988 and belebele-id from 0.894 to 0.998,
# and no English, Thai or Chinese question is lost; from 10 on, English ones are.
_LEAN = 8.0
UNKNOWN = "und"
# Words of a question that must be left without its names.
_LEAST_WORDS = 3


class _Known:
    """py3langid's languages."""

    @once
    def identifier(self) -> langid.LanguageIdentifier:
        """Its own model, unpacked in large pieces.

        As it unpacks it, it lets go of the interpreter's lock some 1000 times, and beside other threads waits for it as often.
        """
        packed = (langid.MODEL_DIR / langid.MODEL_FILE).read_bytes()
        with ZipFile(io.BytesIO(lzma.decompress(packed))) as archive:
            made = {name: np.load(io.BytesIO(archive.read(name))) for name in archive.namelist()}
        moves, rows = (array(made[name].dtype.char, made[name].tobytes()) for name in ("nextmove.npy", "nextmove_row.npy"))
        return langid.LanguageIdentifier(
            made["ptc.npy"], made["pc.npy"], made["classes.npy"].tolist(), moves, made["out_feat.npy"].tolist(), tk_row=rows
        )


_KNOWN = _Known()


def load() -> None:
    """Open what `detect` takes: half a second of one core, most of it beside other threads."""
    _ = _KNOWN.identifier


def detect(text: str, leaning: Collection[str] = ()) -> str:
    """The ISO 639 code of the text's language, `und` where it has no letters; close calls go to a language of `leaning`."""
    sample = text[:_SAMPLE]
    if not any(character.isalpha() for character in sample):
        return UNKNOWN
    scores: dict[str, float] = dict(_KNOWN.identifier.rank(sample))
    best = max(scores, key=lambda code: scores[code] + (_LEAN if code in leaning else 0.0))
    return _ALIASES.get(best, best)


def of_question(question: str, leaning: Collection[str] = ()) -> str:
    """The language that a question is asked in, by its words without names: "When was Ari Sudrajat born?" is English.

    A name is a word with a capital letter that does not begin the question. Leaning to Indonesian, of the development questions
    this names .997 of idkmrc's rightly (with their names .988), .976 of nomiracl's (.959) and .959 of HAGRID's English ones
    (.942), and loses none elsewhere.
    """
    first, *others = question.split() or [""]
    plain = [first, *(word for word in others if not word[0].isupper())]
    return detect(" ".join(plain) if len(plain) >= _LEAST_WORDS else question, leaning)
