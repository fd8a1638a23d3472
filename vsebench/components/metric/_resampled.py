"""Numbers of resampled items, many samples at once: a sample is how often each item was drawn.

``counts`` is int (n, B), a column for each sample. A number of a sample is what the metric gives for its items, each
repeated as often as it was drawn; NaN where it has none of what the number is of.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vsebench.components.metric.base import Predictions


@dataclass(frozen=True)
class Drawn:
    """How often each item was drawn in each sample, and sums of it.

    Args:
        counts: int (n, B).
    """

    counts: np.ndarray

    @cached_property
    def _most(self) -> int:
        return int(self.counts.max(initial=0))

    @cached_property
    def _narrow(self) -> np.ndarray:
        return self.counts.astype(np.int16)

    def sums(self, rows: np.ndarray, cuts: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
        """Sum the counts of a list's intervals, of which there may be one for each item.

            out[g] = Σ_{cuts[g] ≤ j < cuts[g + 1]} values[j] · counts[rows[j]]

        A sparse matrix of ones adds them row by row, in two bytes where no sum needs more: ``np.add.reduceat`` and
        ``np.cumsum`` go down the columns and take ten times as long.

        Args:
            rows: int (p,), the item of each entry of the list.
            cuts: int (G + 1,), not falling.
            values: (p,), of each entry; 1 by default.

        Shape: -> int (G, B), float64 where a value is no whole number
        """
        from scipy.sparse import csr_array

        longest = int(np.diff(cuts).max(initial=0))
        counts, inside = self.counts, rows[: cuts[-1]]
        if values is None and longest * self._most <= np.iinfo(np.int16).max:
            counts = self._narrow
        factors = np.ones(len(inside), counts.dtype) if values is None else _whole(values[: cuts[-1]], counts.dtype)
        return np.asarray(csr_array((factors, inside, cuts), shape=(len(cuts) - 1, len(counts))) @ counts)

    def class_sums(self, values: np.ndarray) -> np.ndarray:
        """Sum numbers of items and classes, few of which differ from 0. Shape: (n, C) -> float64 (C, B)"""
        from scipy.sparse import csr_array

        return np.asarray(csr_array(_whole(values.T, self.counts.dtype)) @ self.counts).astype(np.float64)

    def mean_of(self, values: np.ndarray) -> np.ndarray:
        """Average a number per item. Shape: (n,) -> float64 (B,)"""
        return _ratio(values @ self.counts, self.sums(np.arange(len(values)), np.array([0, len(values)]))[0])


def _whole(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return small numbers as integers where all of them are whole: their sums then need no copy of the counts."""
    return values.astype(dtype if np.array_equal(values, np.rint(values)) else np.float64)


def running(values: np.ndarray) -> np.ndarray:
    """Return the sums of rows from the first on: ``np.cumsum(values, axis=0)``, five times as fast.

    Shape: int or float (G, B) -> int64 or float64 (G, B)
    """
    sums = values.astype(np.int64 if values.dtype.kind == "i" else np.float64)
    for before, row in zip(sums, sums[1:], strict=False):
        np.add(before, row, out=row)
    return sums


@dataclass(frozen=True)
class Ranking:
    """A ranking of which some entries are positive, sorted once for all samples: the groups of equal scores that hold a
    positive entry, best first.

    Args:
        rows: int (p,), the item of each entry, best first.
        start, end: int (G,), the entries of each group.
        hits: int (h,), the items of the positive entries.
        first: int (G + 1,), where those of each group begin.
    """

    rows: np.ndarray
    start: np.ndarray
    end: np.ndarray
    hits: np.ndarray
    first: np.ndarray

    @classmethod
    def sort(cls, scores: np.ndarray, positive: np.ndarray, items: np.ndarray) -> Ranking:
        """Sort entries. Shape: scores (p,), positive bool (p,), items int (p,), whose counts each entry has"""
        order = np.argsort(-scores, kind="stable")
        falling, positive, rows = scores[order], positive[order], items[order]
        begins = np.flatnonzero(np.append(True, falling[1:] != falling[:-1]))
        ends = np.append(begins[1:], len(order))
        of_hits = np.repeat(np.arange(len(begins)), ends - begins)[positive]
        groups, first = np.unique(of_hits, return_index=True)
        return cls(rows, begins[groups], ends[groups], rows[positive], np.append(first, len(of_hits)))

    def average_precision(self, drawn: Drawn) -> np.ndarray:
        """Σ_g positives_g / positives · precision of the list that ends with group g. Shape: -> float64 (B,)"""
        here, between = drawn.sums(self.hits, self.first), drawn.sums(self.rows, np.append(0, self.end))
        positives, total, precision = np.zeros((3, here.shape[1]))
        entries = np.full_like(positives, 1e-300)  # 0 / 0 before anything is drawn
        for hits, more in zip(here, between, strict=True):
            positives += hits
            entries += more
            np.divide(positives, entries, out=precision)
            precision *= hits
            total += precision
        return _ratio(total, positives)

    def auroc(self, drawn: Drawn) -> np.ndarray:
        """P(a positive entry outranks a negative one) + P(it ties) / 2. Shape: -> float64 (B,)"""
        cuts = np.append(np.append(0, np.stack([self.start, self.end], axis=1)), len(self.rows))
        here, between = drawn.sums(self.hits, self.first), drawn.sums(self.rows, cuts)
        positives, negatives, lost = np.zeros((3, here.shape[1]))
        for hits, apart, group in zip(here, between[:-1:2], between[1::2], strict=True):
            tied = group - hits
            negatives += apart
            lost += hits * (negatives + tied / 2)
            negatives += tied
            positives += hits
        pairs = positives * (negatives + between[-1])
        return _ratio(pairs - lost, pairs)


def class_rankings(predictions: Predictions, target: np.ndarray) -> list[Ranking]:
    """Sort the items for each class, one against the rest. Shape: target (n, C)"""
    items = np.arange(len(target))
    return [Ranking.sort(scores, of > 0, items) for scores, of in zip(predictions.class_ranks.T, target.T, strict=True)]


def mean_over_classes(values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Average over the classes that a sample has. Shape: (C, B), NaN where it lacks one -> (B,)"""
    met = ~np.isnan(values)
    of_class = met if weights is None else np.where(met, weights, 0.0)
    return _ratio((np.where(met, values, 0.0) * of_class).sum(0), of_class.sum(0))


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Divide; NaN by 0."""
    return np.where(count > 0, total / np.maximum(count, 1e-300), np.nan)
