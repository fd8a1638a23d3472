"""Expected calibration error."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt

from vsebench.components.metric._resampled import Drawn, running
from vsebench.components.metric.accuracy import correct
from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.registry import METRICS


def resampled(predictions: Predictions, counts: np.ndarray, *, bins: int = 15) -> dict[str, np.ndarray]:
    """Compute the metric of resampled items: an item that is drawn twice is two of equal confidence."""
    confidence, tied, sizes = np.unique(predictions.probabilities.max(1), return_inverse=True, return_counts=True)
    drawn, order, cuts = Drawn(counts), np.argsort(tied, kind="stable"), np.append(0, np.cumsum(sizes))
    weights = drawn.sums(order, cuts)
    gaps = drawn.sums(order, cuts, (correct(predictions, 1) - confidence[tied])[order])
    so_far, sums = running(weights), running(gaps)
    ends = _ends(so_far[-1], bins)
    group = np.stack([np.searchsorted(of, end) for of, end in zip(so_far.T, ends.T, strict=True)], axis=1)
    at = group, np.arange(counts.shape[1])
    rest = (so_far[at] - ends) * gaps[at] / weights[at]  # of the group that a bin ends in, for the next one
    return {"ece": np.abs(np.diff(sums[at] - rest, axis=0, prepend=0.0)).sum(0) / so_far[-1]}


def _ends(items: np.ndarray, bins: int) -> np.ndarray:
    """Return where ``np.array_split`` ends the bins of so many items; all of those that are too many at the last item.

    Shape: (B,) -> int (bins, B)
    """
    count = np.minimum(items, bins)
    number = np.minimum(np.arange(1, bins + 1)[:, None], count)
    ends: np.ndarray = number * (items // count) + np.minimum(number, items % count)
    return ends


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
