"""Average precision."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score

from vsebench.errors import MetricError
from vsebench.metrics.base import Predictions
from vsebench.registry import METRICS


@METRICS.register(
    "average_precision",
    source="Manning et al. 2008, IR book, ch. 8; scikit-learn average_precision_score",
    version=1,
    higher_is_better=True,
    needs=("logits",),
)
def average_precision(predictions: Predictions) -> dict[str, float]:
    """Summarise the precision-recall curve of every class, step-wise and exact, over the whole split.

        AP_c = Σ_n (R_n - R_{n-1}) P_n over distinct thresholds; macro: mean over classes with a positive item;
        micro: all (item, class) pairs as one ranking; weighted: by number of positives

    Args:
        predictions: of one split (wired).

    Shape: logits (n, C), labels -> {"average_precision" (macro), "…/micro", "…/weighted", multi-label also "…/samples"}

    Raises: MetricError without any positive label.

    Example:
        >>> import numpy as np
        >>> p = Predictions(np.array([[2.0, 0, 0], [0, 1, 0], [0, 0, 1]]), np.array([0, 1, 1]))
        >>> round(average_precision(p)["average_precision"], 4)
        1.0
    """
    target = binary_targets(predictions)
    probabilities = predictions.probabilities
    positives = target.sum(0)
    kept = positives > 0
    if not kept.any():
        raise MetricError("'average_precision' needs at least one positive label.")
    per_class = np.array([average_precision_score(target[:, c], probabilities[:, c]) for c in np.flatnonzero(kept)])
    result = {
        "average_precision": float(per_class.mean()),
        "average_precision/micro": float(average_precision_score(target.ravel(), probabilities.ravel())),
        "average_precision/weighted": float(np.average(per_class, weights=positives[kept])),
    }
    if predictions.multi_label:
        some = target.any(1)
        result["average_precision/samples"] = float(
            average_precision_score(target[some], probabilities[some], average="samples")
        )
    return result


def binary_targets(predictions: Predictions) -> np.ndarray:
    """Zeros and ones, int64 (n, C)."""
    if predictions.multi_label:
        return predictions.labels.astype(np.int64)
    return np.eye(predictions.num_classes, dtype=np.int64)[predictions.labels]
