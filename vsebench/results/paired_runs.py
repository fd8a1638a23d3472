"""Tests of two runs on the same items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vsebench.stats.paired_tests import mcnemar

RESAMPLES = 10_000
SEED = 0
LEVEL = 0.95
#: A block of resamples: the counts of their clusters take about so many bytes.
BLOCK_BYTES = 1 << 26


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
        low, high: 95 % interval of a - b; None where the test gives none.
    """

    key: str
    a: float
    b: float
    only_a: int
    only_b: int
    count: int
    p: float
    test: str
    low: float | None = None
    high: float | None = None


def bootstrap(
    a: np.ndarray, b: np.ndarray, clusters: np.ndarray, *, resamples: int = RESAMPLES, seed: int = SEED
) -> tuple[float, float, float]:
    """Resample clusters with replacement: interval of the mean difference a - b, and p.

        d*_r = Σ_c n_rc Σ_{q in c} (a_q - b_q) / Σ_c n_rc |c|, n_r ~ Multinomial(C; 1/C)
        p    = 2 min(#{d* - d <= -|d|} + 1, #{d* - d >= |d|} + 1) / (R + 1), at most 1

    The interval is the percentile one; p is of the null that both are equally good, by the bootstrap distribution moved
    to zero (Efron and Tibshirani 1993, ch. 16; clusters: Field and Welsh 2007).

    Args:
        a, b: float (Q,), what each query counts in both runs.
        clusters: int (Q,), queries of one picture are drawn together.
        resamples: how many.
        seed: of the generator.

    Returns: low, high, p.
    """
    _, number = np.unique(clusters, return_inverse=True)
    size = np.bincount(number).astype(np.float64)
    total = np.bincount(number, weights=a - b)
    generator = np.random.default_rng(seed)
    drawn = np.empty(resamples)
    block = max(1, BLOCK_BYTES // (8 * len(size)))
    for start in range(0, resamples, block):
        some = min(block, resamples - start)
        counts = generator.multinomial(len(size), np.full(len(size), 1 / len(size)), size=some)
        drawn[start : start + some] = counts @ total / (counts @ size)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    found = float(total.sum() / size.sum())
    moved, apart = drawn - found, abs(found) * (1 - 1e-12)  # equal up to the order of a sum counts as equal
    tail = min(int((moved <= -apart).sum()), int((moved >= apart).sum()))
    return float(low), float(high), min(1.0, 2 * (tail + 1) / (resamples + 1))


def compare_right(key: str, a: np.ndarray, b: np.ndarray, clusters: np.ndarray) -> Paired:
    """Test what two runs get right: McNemar's exact test where every item is a cluster of its own and right or wrong, a
    paired bootstrap over clusters otherwise.

    Args:
        a, b: float (Q,), in [0, 1]; between them where a right answer is tied.
        clusters: int (Q,).
    """
    only_a, only_b = int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum())
    plain = bool(np.isin(a, (0.0, 1.0)).all() and np.isin(b, (0.0, 1.0)).all())
    low, high, p = bootstrap(a, b, clusters)
    single = len(np.unique(clusters)) == len(clusters)
    test = f"paired bootstrap over {len(np.unique(clusters)):,} pictures"
    if plain and single and key == "accuracy":
        p, test = mcnemar(only_a, only_b), "McNemar, exact"
    return Paired(key, float(a.mean()), float(b.mean()), only_a, only_b, len(a), p, test, low, high)
