"""Probabilities and log-odds, each from the other. Pure."""

import math

# A judge is no surer than this, in log-odds: beyond it a confidence is rounding, and retrieval could say nothing against it.
_MOST_LOG_ODDS = 12.0


def logistic(log_odds: float) -> float:
    """The probability: 1 / (1 + exp(-log_odds)), in the form that does not overflow."""
    return 0.5 * (1 + math.tanh(log_odds / 2))


def log_odds(confidence: float) -> float:
    """The log-odds of a probability, within what a judge can mean."""
    if confidence in {0.0, 1.0}:
        return math.copysign(_MOST_LOG_ODDS, confidence - 0.5)
    return max(-_MOST_LOG_ODDS, min(_MOST_LOG_ODDS, math.log(confidence) - math.log1p(-confidence)))
