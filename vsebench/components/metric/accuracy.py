"""Accuracy."""

from __future__ import annotations

import numpy as np

from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.registry import METRICS


@METRICS.register(
    "accuracy", source="standard", version=1, higher_is_better=True, shows=share("accuracy"), needs=("logits",)
)
def accuracy(predictions: Predictions) -> dict[str, float]:
    """Count the items whose most probable class is right (micro).

        accuracy = (1/n) Σ_i [argmax_c p_ic = y_i]; a right class tied with others counts 1 / (number of tied)

    Args:
        predictions: of one split (wired).

    Shape: logits (n, C), labels (n,) -> {"accuracy": share in [0, 1]}

    Raises: MetricError for multi-label data.

    Example:
        >>> import numpy as np
        >>> p = Predictions(np.array([[2.0, 0, 0], [0, 1, 0], [0, 0, 1]]), np.array([0, 1, 1]))
        >>> round(accuracy(p)["accuracy"], 4)
        0.6667
    """
    predictions.require_single_label("accuracy")
    return {"accuracy": float(np.mean(correct(predictions, 1)))}


def correct(predictions: Predictions, k: int) -> np.ndarray:
    """P(the right class is among the k most probable) under a random order of tied classes, float64 (n,)."""
    logits = predictions.scored.astype(np.float64)
    true_logit = logits[np.arange(len(logits)), predictions.labels][:, None]
    above, tied = (logits > true_logit).sum(1), (logits == true_logit).sum(1)
    shares: np.ndarray = np.clip((k - above) / tied, 0.0, 1.0)
    return shares
