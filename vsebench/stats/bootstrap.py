"""Resampling of clusters of items: what a number would be on other test items of the same kind."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from vsebench.stats.intervals import LEVEL

RESAMPLES = 10_000
SEED = 0
#: A block of resamples: counts of clusters, 8 bytes each.
BLOCK_BYTES = 1 << 26
#: Counts up to which what was drawn is held, a byte each.
HELD = 1 << 26
#: Of metrics that are no mean over items, whose values on resamples are kept with a board.
KEPT_RESAMPLES = 2_000
#: With fewer clusters that hold any score, or lack any, than this a share is near 0 or 1.
FEW = 10
#: Sums are rounded before they are compared: their last bits depend on the machine's order of additions.
DECIMALS = 12


def ratios(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Means over items of clusters of unequal size, and their mean over parts.

        value_r = mean_p Σ_c total_crp / Σ_c count_cp

    Args:
        total: sum of a row's scores over the items of a cluster; ``parts`` are directions of retrieval.
        count: items of a cluster.

    Shape: total (m, R, P), count (m, P) -> float64 (R,)

    Example:
        >>> ratios(np.array([[[1.0]], [[1.0]]]), np.array([[1.0], [3.0]])).tolist()
        [0.5]
    """
    result: np.ndarray = (total.sum(0) / count.sum(0)).mean(-1)
    return result.round(DECIMALS)


def resampled(total: np.ndarray, count: np.ndarray, *, resamples: int = RESAMPLES, seed: int = SEED) -> np.ndarray:
    """:func:`ratios` of samples of clusters, drawn with replacement: every row on the same samples.

    A sample is how often each cluster was drawn, so that all rows are one matrix product (Efron and Tibshirani 1993,
    ch. 6; clusters: Field and Welsh 2007).

    Args:
        total: float (m, R, k), sums over each cluster.
        count: float (m, k), what each cluster counts.
        resamples: how many samples.
        seed: of the generator.

    Shape: total (m, R, P), count (m, P) -> float64 (resamples, R)
    """
    clusters, rows, parts = total.shape
    flat = np.concatenate([total.reshape(clusters, rows * parts), count], axis=1).astype(np.float64)
    result = np.zeros((rows, resamples)).T  # a row's samples side by side
    start = 0
    # Tables of a board have the same clusters: what was drawn of few is held for the next table.
    held = clusters * resamples <= HELD
    for times in _held_times(clusters, resamples, seed) if held else _times(clusters, resamples, seed):
        sums = times.astype(np.float64) @ flat
        for part in range(parts):
            whole = sums[:, rows * parts + part, None]
            result[start : start + len(times)] += sums[:, part : rows * parts : parts] / (parts * whole)
        start += len(times)
    return np.round(result, DECIMALS, out=result)


def _times(clusters: int, resamples: int, seed: int, *, items: int = 0) -> Iterator[np.ndarray]:
    """Draw clusters with replacement: how often each of them, some resamples at a time. Shape: -> int (some, m)"""
    generator = np.random.default_rng(seed)
    size = max(1, BLOCK_BYTES // (8 * max(clusters, items)))
    for start in range(0, resamples, size):
        some = min(size, resamples - start)
        drawn = generator.integers(clusters, size=(some, clusters))
        drawn += clusters * np.arange(some)[:, None]
        yield np.bincount(drawn.ravel(), minlength=some * clusters).reshape(some, clusters)


@lru_cache(maxsize=2)
def _held_times(clusters: int, resamples: int, seed: int) -> list[np.ndarray]:
    """Return :func:`_times` in the smallest type that holds them."""
    return [times.astype(np.min_scalar_type(int(times.max()))) for times in _times(clusters, resamples, seed)]


def draws(clusters: np.ndarray, *, resamples: int = KEPT_RESAMPLES, seed: int = SEED) -> Iterator[np.ndarray]:
    """Draw clusters with replacement, and say how often each item was drawn, some resamples at a time.

    Args:
        clusters: int (n,), equal for items that are drawn together.
        resamples: how many.
        seed: of the generator.

    Shape: -> int32 (n, some), ``resamples`` columns in all
    """
    number = np.unique(clusters, return_inverse=True)[1]
    for times in _times(int(number.max()) + 1, resamples, seed, items=len(number)):
        yield np.ascontiguousarray(times.T[number], dtype=np.int32)


def percentile_interval(samples: np.ndarray, tail: float = (1 - LEVEL) / 2) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle 95 % of resampled values, or all but two other tails. Shape: (B, R) -> (R,), (R,)"""
    low, high = np.quantile(samples, [tail, 1 - tail], axis=0)
    return low, high


def centred_interval(
    value: np.ndarray, samples: np.ndarray, *, share: bool, clusters: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentile interval of a number that is no mean over items, less what resampling itself does to it.

        g(low) = q_tail(g(samples)) − bias,   bias = mean g(samples) − g(value)
        tail   = Φ(√(m / (m − 1)) · t_{m − 1, 0.025})

    A repeated item ties with itself, so that resamples come out higher or lower than the items. Of a share g is the
    logit: its distribution is skewed, the more the nearer it is to 0 or 1. Else g is the number itself, from 0. The
    tail is that of Hesterberg's expanded interval (2015, The American Statistician 69(4)): resamples of m clusters
    vary less than test sets do.

    Args:
        value: of each row.
        samples: of each row, on resamples.
        share: whether the number is in [0, 1].
        clusters: how many were resampled; shares are at least half of one away from 0 and 1.

    Shape: (R,), (B, R) -> (R,), (R,)

    Example:
        >>> low, high = centred_interval(np.array([2.0]), np.linspace(2, 3, 41)[:, None], share=False, clusters=100)
        >>> low.round(3).tolist(), high.round(3).tolist()
        ([1.523], [2.477])
    """
    from scipy.special import expit, logit, ndtr, stdtrit

    count = max(2, clusters)
    tail = float(ndtr(np.sqrt(count / (count - 1)) * stdtrit(count - 1, (1 - LEVEL) / 2)))
    if not share:
        low, high = percentile_interval(samples - samples.mean(0) + value, tail)
        return np.maximum(low, 0.0), high
    some = 0.5 / clusters
    of_value, of_samples = (logit(np.clip(shares, some, 1 - some)) for shares in (value, samples))
    low, high = percentile_interval(of_samples - of_samples.mean(0) + of_value, tail)
    return expit(low), expit(high)


def near_edge(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return whether so few clusters hold any score, or lack any, that resampling says little of the interval.

    A sample of right answers alone has no spread at all; a share of exactly 0 or 1 always counts as near.

    Shape: total (m, R, P), count (m, P) -> bool (R,)
    """
    some = (total > 0).any(-1).sum(0)
    lacking = (total < count[:, None] - 1e-9).any(-1).sum(0)
    result: np.ndarray = np.minimum(some, lacking) < FEW
    return result
