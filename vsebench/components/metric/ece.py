"""Expected calibration error."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt

from vsebench.components.metric.accuracy import correct
from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.registry import METRICS


def resampled(predictions: Predictions, counts: np.ndarray, *, bins: int = 15) -> dict[str, np.ndarray]:
    """Compute the metric of resampled items: an item that is drawn twice is two of equal confidence."""
    confidence, tied = np.unique(predictions.probabilities.max(1), return_inverse=True)
    order = np.argsort(tied, kind="stable")
    first = np.flatnonzero(np.append(True, np.diff(tied[order]) > 0))
    weights = np.add.reduceat(counts[order], first, axis=0)
    hits = np.add.reduceat((counts * correct(predictions, 1)[:, None])[order], first, axis=0)
    gaps = hits / np.maximum(weights, 1) - confidence[:, None]
    results = [_of_groups(weight, gap, bins) for weight, gap in zip(weights.T, gaps.T, strict=True)]
    return {"ece": np.array(results)}


def _of_groups(weights: np.ndarray, gaps: np.ndarray, bins: int) -> float:
    """Cut items that come in groups of one gap into bins as ``np.array_split`` cuts them one by one.

    Shape: (g,), (g,)
    """
    items = int(weights.sum())
    size, more = divmod(items, min(bins, items))
    sizes = np.full(min(bins, items), size)
    sizes[:more] += 1
    ends = np.cumsum(sizes)
    so_far = np.cumsum(weights)
    group = np.searchsorted(so_far, ends)
    sums = np.cumsum(weights * gaps)[group] - (so_far[group] - ends) * gaps[group]
    return float(np.abs(np.diff(sums, prepend=0.0)).sum() / items)


@METRICS.register(
    "ece",
    source="Naeini et al. 2015; equal-mass bins: Nixon et al. 2019, arXiv:1904.01685",
    version=2,
    higher_is_better=False,
    shows=share("ECE"),
    needs=("logits",),
    resample=resampled,
)
def ece(predictions: Predictions, *, bins: Annotated[int, Gt(0)] = 15) -> dict[str, float]:
    """Compare confidence and accuracy in bins that hold equally many items.

        ECE = Σ_b (n_b / n) |accuracy_b - mean confidence_b|, items sorted by confidence, ``bins`` bins of equal mass

    Items of equal confidence share their hits: each counts as right as they are on average, which is what a bin's
    accuracy is in expectation over their order. A constant classifier scores |accuracy - confidence|: 0 if calibrated.

    Args:
        predictions: of one split (wired).
        bins: number of bins; as many as there are items where these are fewer.

    Shape: logits (n, C), labels (n,) -> {"ece": in [0, 1]}

    Raises: MetricError for multi-label data.

    Example:
        >>> import numpy as np
        >>> ece(Predictions(np.zeros((4, 2)), np.array([0, 1, 0, 1])))
        {'ece': 0.0}
    """
    predictions.require_single_label("ece")
    confidence, tied = np.unique(predictions.probabilities.max(1), return_inverse=True)
    hits = np.bincount(tied, correct(predictions, 1)) / np.bincount(tied)
    gap = np.sort(tied)  # the items in the order of their confidences
    gaps = hits[gap] - confidence[gap]
    parts = np.array_split(gaps, min(bins, len(gaps)))
    return {"ece": float(sum(abs(part.sum()) for part in parts) / len(gaps))}
