"""Negative log-likelihood."""

from __future__ import annotations

import numpy as np

from vsebench.components.metric._classes import binary_targets, log_odds
from vsebench.components.metric._resampled import Drawn
from vsebench.components.metric.base import Predictions
from vsebench.core.display import Display
from vsebench.core.registry import METRICS


def resampled(predictions: Predictions, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the metric of resampled items."""
    return {"nll": Drawn(counts).mean_of(_surprise(predictions).mean(1))}


@METRICS.register(
    "nll",
    source="standard",
    version=1,
    higher_is_better=False,
    shows=Display("NLL", bounds=(0.0, None)),
    needs=("logits",),
    resample=resampled,
)
def nll(predictions: Predictions) -> dict[str, float]:
    """Average the surprise at the right labels.

        NLL = -(1/n) Σ_i ln p_i,y_i; multi-label: mean binary cross entropy over items and classes

    Args:
        predictions: of one split (wired).

    Shape: logits (n, C), labels -> {"nll": nats, >= 0}

    Example:
        >>> import numpy as np
        >>> round(nll(Predictions(np.zeros((2, 4)), np.array([0, 1])))["nll"], 4)
        1.3863
    """
    return {"nll": float(_surprise(predictions).mean())}


def _surprise(predictions: Predictions) -> np.ndarray:
    """-ln p of what is so, float64 (n, 1), or (n, C) for multi-label data."""
    odds = log_odds(predictions.scored, multi_label=predictions.multi_label)
    positive = binary_targets(predictions.labels, predictions.num_classes) > 0
    # -ln p = ln(1 + exp(-odds)), and of what is not so, with the other sign: never below 0, and nothing cancels
    surprise = np.logaddexp(0.0, np.where(positive, -odds, odds))
    return surprise if predictions.multi_label else surprise[positive][:, None]
