"""Expected calibration error."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt

from vsebench.metrics.accuracy import correct
from vsebench.metrics.base import Predictions
from vsebench.registry import METRICS


@METRICS.register(
    "ece",
    source="Naeini et al. 2015; equal-mass bins: Nixon et al. 2019, arXiv:1904.01685",
    version=1,
    higher_is_better=False,
    needs=("logits",),
)
def ece(predictions: Predictions, *, bins: Annotated[int, Gt(0)] = 15) -> dict[str, float]:
    """Compare confidence and accuracy in bins that hold equally many items.

        ECE = Σ_b (n_b / n) |accuracy_b - mean confidence_b|, items sorted by confidence, ``bins`` bins of equal mass

    Args:
        predictions: of one split (wired).
        bins: number of bins.

    Shape: logits (n, C), labels (n,) -> {"ece": in [0, 1]}

    Raises: MetricError for multi-label data.

    Example:
        >>> import numpy as np
        >>> ece(Predictions(np.zeros((4, 2)), np.array([0, 1, 0, 1])))
        {'ece': 0.0}
    """
    predictions.require_single_label("ece")
    confidence = predictions.probabilities.max(1)
    right = correct(predictions, 1)
    order = np.lexsort((right, confidence))  # tied confidences in an order that does not depend on the items' order
    total = 0.0
    for part in np.array_split(order, min(bins, len(order))):
        total += len(part) / len(order) * abs(right[part].mean() - confidence[part].mean())
    return {"ece": float(total)}
