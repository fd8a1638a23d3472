"""Numbers of resampled items, many samples at once: a sample is how often each item was drawn.

``counts`` is int32 (n, B), a column for each sample. A number of a sample is what the metric gives for its items, each
repeated as often as it was drawn; NaN where it has none of what the number is of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vsebench.components.metric.base import Predictions

#: Cumulative counts that are held together.
CELLS = 1 << 22


def mean_of(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Average a number per item. Shape: (n,), (n, B) -> float64 (B,)"""
    return _ratio(values @ counts, counts.sum(0))


@dataclass(frozen=True)
class Positives:
    """The groups of equal scores with positive items, best first, in each sample.

    Args:
        here: float64 (G, B), positive items of the group.
        so_far: those of the group and above it.
        above, through: all items above the group, and with it.
        total: float64 (B,), all positive items.
        items: float64 (B,), all items.
    """

    here: np.ndarray
    so_far: np.ndarray
    above: np.ndarray
    through: np.ndarray
    total: np.ndarray
    items: np.ndarray

    def average_precision(self) -> np.ndarray:
        """Σ_g positives_g / positives · precision of the list that ends with group g. Shape: -> (B,)"""
        precision = self.so_far / np.maximum(self.through, 1)
        return _ratio((self.here * precision).sum(0), self.total)

    def auroc(self) -> np.ndarray:
        """P(a positive item outranks a negative one) + P(it ties) / 2. Shape: -> (B,)"""
        negatives = self.items - self.total
        tied = self.through - self.above - self.here
        below = negatives - (self.through - self.so_far)
        return _ratio((self.here * (below + tied / 2)).sum(0), self.total * negatives)


def per_ranking(
    scores: np.ndarray,
    positive: np.ndarray,
    items: np.ndarray,
    counts: np.ndarray,
    value: Callable[[Positives], np.ndarray],
) -> np.ndarray:
    """Compute a number of one ranking in every sample, sorting once.

    Args:
        scores: (p,), of what is ranked.
        positive: bool (p,).
        items: int (p,), whose counts each has.
        counts: int32 (n, B).
        value: of the positive groups of some samples.

    Shape: -> float64 (B,)
    """
    order = np.argsort(-scores, kind="stable")
    falling, hits, rows = scores[order], positive[order], items[order]
    begins = np.flatnonzero(np.append(True, falling[1:] != falling[:-1]))
    group = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(order)))
    of_hits = group[hits]
    first = np.flatnonzero(np.append(True, of_hits[1:] != of_hits[:-1])) if len(of_hits) else of_hits
    start, end = begins[of_hits[first]], np.append(begins, len(order))[of_hits[first] + 1]
    step = max(1, CELLS // (len(order) + 1))
    results = []
    for at in range(0, counts.shape[1], step):
        drawn = counts[:, at : at + step]
        sums = np.zeros((len(order) + 1, drawn.shape[1]), np.int32)
        np.cumsum(drawn[rows], axis=0, out=sums[1:])
        positives = drawn[rows[hits]]
        here = np.add.reduceat(positives, first, axis=0) if len(first) else positives
        so_far = here.cumsum(0)
        parts = (here, so_far, sums[start], sums[end], here.sum(0), sums[-1])
        results.append(value(Positives(*(part.astype(np.float64) for part in parts))))
    return np.concatenate(results)


def per_class(
    predictions: Predictions, target: np.ndarray, counts: np.ndarray, value: Callable[[Positives], np.ndarray]
) -> np.ndarray:
    """Compute a number of each class, one against the rest, in every sample. Shape: -> float64 (C, B)"""
    ranks, items = predictions.class_ranks, np.arange(len(target))
    some = [per_ranking(ranks[:, c], target[:, c] > 0, items, counts, value) for c in range(target.shape[1])]
    return np.stack(some)


def mean_over_classes(values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Average over the classes that a sample has. Shape: (C, B), NaN where it lacks one -> (B,)"""
    met = ~np.isnan(values)
    of_class = met if weights is None else np.where(met, weights, 0.0)
    return _ratio((np.where(met, values, 0.0) * of_class).sum(0), of_class.sum(0))


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Divide; NaN by 0."""
    return np.where(count > 0, total / np.maximum(count, 1e-300), np.nan)
