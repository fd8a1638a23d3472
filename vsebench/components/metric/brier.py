"""Brier score."""

from __future__ import annotations

import numpy as np

from vsebench.components.metric._classes import binary_targets
from vsebench.components.metric._resampled import Drawn
from vsebench.components.metric.base import Predictions
from vsebench.core.display import Display
from vsebench.core.registry import METRICS


def resampled(predictions: Predictions, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the metric of resampled items."""
    return {"brier": Drawn(counts).mean_of(_squares(predictions))}


@METRICS.register(
    "brier",
    source="Brier 1950, Monthly Weather Review 78(1); scikit-learn brier_score_loss",
    version=1,
    higher_is_better=False,
    shows=Display("Brier", bounds=(0.0, 2.0)),
    needs=("logits",),
    resample=resampled,
)
def brier(predictions: Predictions) -> dict[str, float]:
    """Average the squared distance of the probabilities from what is so: calibration and discrimination in one number.

        Brier = (1/n) Σ_i Σ_c (p_ic - y_ic)²; multi-label: mean over items and classes, each in [0, 1]

    Of two classes it is twice scikit-learn's binary score, which looks at one of them. It is proper: the true
    probabilities have the smallest expected score.

    Args:
        predictions: of one split (wired).

    Shape: logits (n, C), labels -> {"brier": in [0, 2]}

    Example:
        >>> import numpy as np
        >>> brier(Predictions(np.zeros((2, 4)), np.array([0, 1])))
        {'brier': 0.75}
    """
    return {"brier": float(_squares(predictions).mean())}


def _squares(predictions: Predictions) -> np.ndarray:
    """Squared distance of each item's probabilities; their mean over classes for multi-label data. Shape: (n,)"""
    squares = (predictions.probabilities - binary_targets(predictions.labels, predictions.num_classes)) ** 2
    result: np.ndarray = squares.mean(1) if predictions.multi_label else squares.sum(1)
    return result
