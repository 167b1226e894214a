"""Does the cited evidence support a claim: a check against people's verdicts, beside the plain way of counting common words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rag.evaluation.dataset import Claim
from rag.evaluation.measures import Estimate, by_language
from rag.evaluation.probabilities import Verdicts, auroc_with_interval, verdicts
from rag.judging.wording import shared_words
from rag.types import SupportCheck

# Claims that are checked between two words of progress.
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Support:
    """Probabilities of support against labels, and the area under the ROC curve that counting common words has on them."""

    verdicts: Verdicts
    overlap_auroc: Estimate | None


def measure(
    claims: Sequence[Claim], passages: Mapping[str, str], check: SupportCheck, told: Callable[[int, int], None]
) -> tuple[Support, ...]:
    """Check each claim against what it cites. `told` hears how many of how many claims are done."""
    pairs = [(claim.text, "\n\n".join(passages[one] for one in claim.cited)) for claim in claims]
    supported: list[float] = []
    for at in range(0, len(pairs), _AT_ONCE):
        told(at, len(pairs))
        supported += check.supports(pairs[at : at + _AT_ONCE])
    told(len(pairs), len(pairs))
    labels = np.array([claim.attributable for claim in claims])
    confidences = np.array(supported)
    common = np.array([shared_words(*pair, claim.language) for pair, claim in zip(pairs, claims, strict=True)])
    questions = np.array([claim.question for claim in claims])
    return tuple(
        Support(
            verdicts(language, labels[rows], confidences[rows], questions[rows].tolist()),
            auroc_with_interval(labels[rows], common[rows], questions[rows].tolist()),
        )
        for language, rows in by_language([claim.language for claim in claims])
    )
