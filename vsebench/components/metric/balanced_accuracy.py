"""Balanced accuracy."""

from __future__ import annotations

import numpy as np

from vsebench.components.metric._classes import binary_targets, left_out
from vsebench.components.metric._resampled import Drawn, mean_over_classes
from vsebench.components.metric.accuracy import correct
from vsebench.components.metric.average_precision import classes_with_positives
from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.registry import METRICS


def resampled(predictions: Predictions, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the metric of resampled items, over the classes that a sample has."""
    target = binary_targets(predictions.labels, predictions.num_classes)
    drawn, right = Drawn(counts), correct(predictions, 1)[:, None]
    items, hits = drawn.class_sums(target), drawn.class_sums(target * right)
    return {"balanced_accuracy": mean_over_classes(np.where(items > 0, hits / np.maximum(items, 1), np.nan))}


@METRICS.register(
    "balanced_accuracy",
    source="Brodersen et al. 2010; scikit-learn balanced_accuracy_score",
    version=1,
    higher_is_better=True,
    shows=share("balanced accuracy"),
    needs=("logits",),
    classes=classes_with_positives,
    resample=resampled,
)
def balanced_accuracy(predictions: Predictions) -> dict[str, float]:
    """Average the accuracy over classes (macro recall).

        balanced = mean over classes with items of (share of its items that are right)

    Classes without an item are left out; ``skipped`` is their number.

    Args:
        predictions: of one split (wired).

    Shape: logits (n, C), labels (n,) -> {"balanced_accuracy": share in [0, 1]}

    Raises: MetricError for multi-label data.

    Example:
        >>> import numpy as np
        >>> p = Predictions(np.array([[2.0, 0], [0, 1], [1, 0]]), np.array([0, 1, 1]))
        >>> balanced_accuracy(p)
        {'balanced_accuracy': 0.75}
    """
    predictions.require_single_label("balanced_accuracy")
    right, over = correct(predictions, 1), classes_with_positives(predictions)
    items = np.bincount(predictions.labels, minlength=predictions.num_classes)
    hits = np.bincount(predictions.labels, weights=right, minlength=predictions.num_classes)
    return {"balanced_accuracy": float(np.mean(hits[over] / items[over])), **left_out("balanced_accuracy", over)}
