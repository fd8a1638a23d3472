"""Draws without replacement: t of n items, r of which are good. Exact to rounding, whatever n is.

Differences of ln n! lose n's digits: with n = 10 million they are off by half a percent of a small probability.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def some(n: np.ndarray, r: np.ndarray, t: np.ndarray) -> np.ndarray:
    """P(a good one among the t) = 1 - C(n - r, t) / C(n, t).

    Shape: (Q,), (Q,), (Q,) -> float64 (Q,)

    Example:
        >>> some(np.array([10]), np.array([1]), np.array([3])).round(12).tolist()
        [0.3]
    """
    return np.asarray(0.0 - np.expm1(_none(n, r, t)))  # where nothing can be drawn, 0.0 and not -0.0


def likely(n: np.ndarray, r: np.ndarray, t: np.ndarray) -> Iterator[np.ndarray]:
    """P(h good ones among the t) = C(r, h) C(n - r, t - h) / C(n, t) for h = 0, 1, … up to the largest possible one.

    Shape: (Q,), (Q,), (Q,) -> float64 (Q,) for each h
    """
    fewest, most = np.maximum(t - (n - r), 0), np.minimum(r, t)
    # The fewest good ones are none; or all bad ones are drawn, which is that none of them is among the n - t left over.
    log = np.where(fewest == 0, _none(n, r, t), _none(n, n - t, np.where(fewest == 0, 0, n - r)))
    for h in range(int(most.max(initial=0)) + 1):
        yield np.where((fewest <= h) & (h <= most), np.exp(log), 0.0)
        more = (fewest <= h) & (h < most)
        odds = np.where(more, (r - h) * (t - h) / np.where(more, (h + 1.0) * (n - r - t + h + 1), 1), 1.0)
        log = log + np.log(odds)


def _none(n: np.ndarray, r: np.ndarray, t: np.ndarray) -> np.ndarray:
    """ln of C(n - r, t) / C(n, t), the chance that no good one is drawn: a sum over the smaller of t and r.

    Σ_{i < min} ln(1 - max / (n - i)), as what is drawn and what is good may be exchanged
    """
    few, many = np.minimum(r, t), np.maximum(r, t)
    possible = n - r >= t
    total = np.zeros(len(n))
    for i in range(int(few.max(initial=0))):
        counts = possible & (i < few)
        total += np.log1p(-np.where(counts, many, 0) / np.where(counts, n - i, 1))
    return np.where(possible, total, -np.inf)
