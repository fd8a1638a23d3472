"""Tests of two runs on the same items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vsebench.stats.compared_metrics import summed
from vsebench.stats.intervals import LEVEL
from vsebench.stats.paired_tests import difference
from vsebench.stats.rank_groups import scored


@dataclass(frozen=True)
class Paired:
    """What a test says of two runs.

    Args:
        key: of the number that it is about, ``accuracy`` or ``i2t/recall@1``.
        a, b: its value in both runs.
        only_a, only_b: items, or queries, that one gets right and the other wrong.
        count: of all of them.
        p: two-sided.
        test: which test, in words.
        low, high: 95 % t-interval of a - b over items.
    """

    key: str
    a: float
    b: float
    only_a: int
    only_b: int
    count: int
    p: float
    test: str
    low: float
    high: float


def compare_right(key: str, a: np.ndarray, b: np.ndarray, clusters: np.ndarray) -> Paired:
    """Test what two runs get right, as a board tests two rows of one seed (:func:`difference`).

    Args:
        key: of the metric, for the draws.
        a: float (Q,), of the first run, in [0, 1]; between them where a right answer is tied.
        b: of the second run, like ``a``.
        clusters: int (Q,), equal for queries that are drawn together.
    """
    number = np.unique(clusters, return_inverse=True)[1]
    one, other = scored(summed([], [[[a]], [[b]]], [number]))
    result = difference(one, other)
    half = result.quantile((1 + LEVEL) / 2)
    exact = one.binary is not None and other.binary is not None
    pictures = one.count
    return Paired(
        key,
        float(a.mean()),
        float(b.mean()),
        only_a=int(((a == 1) & (b == 0)).sum()),
        only_b=int(((a == 0) & (b == 1)).sum()),
        count=len(a),
        p=result.p,
        test="McNemar, exact" if exact else f"paired bootstrap and t-test over {pictures:,} pictures",
        low=result.value - half,
        high=result.value + half,
    )
