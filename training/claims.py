"""Readers of the public data sets of claims, in their published formats; training/README.md has the sources."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from training.examples import Claimed
from training.rows import lines, table

# Labels of the data sets for a supported claim.
_SUPPORTS = frozenset(
    ["e", "entailment", "attributable", "SUPPORTS", "completely-support", "supported", "Fully attributable", "Entailment"]
)
# Shorter evidence is only an unread web address; longer evidence would be truncated.
_LEAST_EVIDENCE, _MOST_EVIDENCE = 60, 2500
_JUDGED = frozenset(["Complete", "Partial", "Incomplete", "Missing"])


def indonli(folder: Path) -> Iterator[Claimed]:
    """IndoNLI's training split: Indonesian."""
    for row in lines(folder / "train.jsonl"):
        yield Claimed("indonli", row["hypothesis"], row["premise"], row["label"] in _SUPPORTS)


def attributionbench(folder: Path) -> Iterator[Claimed]:
    """AttributionBench's development rows: sentences of generated answers with what they cite. None of HAGRID."""
    for row in lines(folder / "dev.clean.jsonl"):
        if row["src_dataset"] not in {"HAGRID", "LFQA"}:  # HAGRID is evaluation data; LFQA has no known licence
            evidence = "\n\n".join(row["references"])
            yield Claimed("attributionbench", row["claim"], evidence, row["attribution_label"] in _SUPPORTS)


def fever(folder: Path) -> Iterator[Claimed]:
    """FEVER's development rows with their evidence: supported or refuted."""
    for row in lines(folder / "dev.jsonl"):
        yield Claimed("fever", row["claim"], _detokenised(row["evidence"]), row["label"] in _SUPPORTS)


def fever_symmetric(folder: Path) -> Iterator[Claimed]:
    """FeverSymmetric: claims whose words alone reveal nothing about the label."""
    for row in lines(folder / "fever_symmetric_dev.jsonl"):
        claim, evidence = _detokenised(row["claim"]), _detokenised(row["evidence"])
        yield Claimed("fever_symmetric", claim, evidence, row["label"] in _SUPPORTS)


def factcheck(folder: Path) -> Iterator[Claimed]:
    """Factcheck-GPT: claims of a model against passages of the web."""
    for row in lines(folder / "subtask3_claim_evidence_stance.jsonl"):
        yield Claimed("factcheck", row["claim"], row["evidence"], row["stance"] in _SUPPORTS)


def wice(folder: Path) -> Iterator[Claimed]:
    """WiCE: sentences of Wikipedia with the supporting sentences of the cited page and their neighbours."""
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
        for row in table(path, "\t"):
            yield Claimed("begin", row["response"], row["knowledge"], row["begin_label"] in _SUPPORTS)


def faithdial(folder: Path) -> Iterator[Claimed]:
    """FaithDial's audit: like BEGIN, of three sets of dialogues."""
    for path in sorted(folder.glob("*.csv")):
        for row in table(path):
            yield Claimed("faithdial", row["response"], row["evidence"], row["BEGIN"] in _SUPPORTS)


def expertqa(folder: Path) -> Iterator[Claimed]:
    """ExpertQA: sentences of generated answers with what they cite, judged by experts; no question of its test splits."""
    hidden = {row["question"] for name in ("rand_test", "domain_test") for row in lines(folder / f"{name}.jsonl")}
    for name in ("rand_val", "domain_val"):
        for row in lines(folder / f"{name}.jsonl"):
            if row["question"] not in hidden:
                for answer in row["answers"].values():
                    yield from _of_expert(answer["claims"])


def _of_expert(claims: Iterable[dict[str, Any]]) -> Iterator[Claimed]:
    for claim in claims:
        cited = claim["evidence"] if isinstance(claim["evidence"], list) else [claim["evidence"] or ""]
        # The text may begin with its web address or a number in brackets.
        evidence = [re.sub(r"^\s*(?:\[\d+\])?\s*(?:https?://\S+)?\s*", "", text).strip() for text in cited]
        if claim["support"] in _JUDGED and all(len(text) >= _LEAST_EVIDENCE for text in evidence):
            said = re.sub(r"\s*\[\d+\]", "", claim["claim_string"]).strip()
            yield Claimed("expertqa", said, "\n\n".join(evidence), claim["support"] == "Complete")


def fool_me_twice(folder: Path) -> Iterator[Claimed]:
    """FoolMeTwice's development split: claims that people wrote to mislead, with their evidence after two other sentences."""
    for row in lines(folder / "dev.jsonl"):
        if row["label"] in {"SUPPORTS", "REFUTES"}:
            gold = [sentence["text"].strip() for sentence in row["gold_evidence"]]
            others = [text for one in row["retrieved_evidence"] if (text := one["text"].strip()) not in gold]
            yield Claimed("fool_me_twice", row["text"].strip(), " ".join([*others[:2], *gold]), row["label"] in _SUPPORTS)


def summedits(folder: Path) -> Iterator[Claimed]:
    """SummEdits: summaries, half of them edited so that they are wrong; none of its test rows."""
    for path in sorted(folder.glob("summedits_*.json")):
        for row in json.loads(path.read_text("utf-8")):
            if row["split"] != "test" and len(row["doc"]) <= _MOST_EVIDENCE:
                yield Claimed("summedits", row["summary"], row["doc"], bool(row["label"]))


def _detokenised(text: str) -> str:
    """A sentence of FEVER with real brackets and quotation marks, and without spaces before punctuation."""
    for theirs, ours in (("-LRB-", "("), ("-RRB-", ")"), ("-LSB-", "["), ("-RSB-", "]"), ("``", '"'), ("''", '"')):
        text = text.replace(theirs, ours)
    for sign in (".", ",", ";", ":", "'s", "?", "!", ")"):
        text = text.replace(f" {sign}", sign)
    return text.replace("( ", "(")
