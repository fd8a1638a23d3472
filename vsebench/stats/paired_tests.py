"""Paired tests of rows on the same items, and their correction for being many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ALPHA = 0.05
#: Fewer resamples than this beyond the difference are too few to count by; the t-distribution's tail decides then.
COUNTED = 10
#: With fewer degrees of freedom of the seeds of a whole table than this (two rows of two seeds have 2), the t-test has
#: no more than those: seeds that agree by chance would both shrink the error and raise its degrees of freedom.
FEW_SEEDS = 4


@dataclass(frozen=True)
class Difference:
    """A row against another, on the same items.

    Args:
        value: mean of the row minus that of the other.
        error: its standard error, over items and seeds.
        freedom: degrees of freedom of the error.
        p: two-sided, not adjusted.
        differing: clusters in which the two differ at all.
    """

    value: float
    error: float
    freedom: float
    p: float
    differing: int = 0

    def quantile(self, level: float) -> float:
        """How far above its mean the difference's t-distribution has a level such as 0.975."""
        from scipy.special import stdtrit

        return float(stdtrit(self.freedom, level)) * self.error


@dataclass(frozen=True)
class Noise:
    """What training with other seeds moves a row's mean by.

    Args:
        variance: of the mean over seeds.
        freedom: degrees of freedom of the variance.
        pooled: whether it is that of all rows of the table.
    """

    variance: float
    freedom: int
    pooled: bool


@dataclass(frozen=True)
class Scores:
    """A row of a table, as far as tests see it.

    Args:
        value: mean over seeds.
        noise: of the seeds; None where no row of the table has more than one.
        samples: float64 (B,), the value on resampled clusters, the same samples for every row.
        clusters: float64 (m, P), the row's scores in each cluster, part by part.
        binary: float64 (n,) of 0 and 1 where there is one seed and every item is a cluster of its own; else None.
    """

    value: float
    noise: Noise | None
    samples: np.ndarray
    clusters: np.ndarray
    binary: np.ndarray | None = None


def seed_noise(seeds: Sequence[Sequence[float]]) -> list[Noise | None]:
    """Compute the variance of a table's rows over seeds: a row's own, or the mean of all rows' where that is larger.

    Two or three seeds that happen to agree say little: where each row is taken at its own word, those that agree by
    chance are found to differ from others. The mean over rows has the degrees of freedom of all.

    Args:
        seeds: each row's values, seed by seed.

    Returns: for each row; None for all where no row has two seeds.

    Example:
        >>> [n.pooled for n in seed_noise([[0.80, 0.80], [0.70, 0.74]])]
        [True, False]
    """
    freedom = sum(len(row_seeds) - 1 for row_seeds in seeds)
    if not freedom:
        return [None] * len(seeds)
    pool = sum(float(np.var(row_seeds)) * len(row_seeds) for row_seeds in seeds) / freedom
    results: list[Noise | None] = []
    for row_seeds in seeds:
        variance = float(np.var(row_seeds, ddof=1)) if len(row_seeds) > 1 else 0.0
        alone = variance > pool * (1 + 1e-9)  # equal ones differ in their last bits
        results.append(Noise(max(variance, pool) / len(row_seeds), len(row_seeds) - 1 if alone else freedom, not alone))
    return results


def difference(row: Scores, other: Scores) -> Difference:
    """Test a row against another.

        V = V_items + V_row + V_other
        ν = V² / (V_items² / (m − 1) + V_row² / ν_row + V_other² / ν_other)
        p = max(p_items, P(|t_ν| ≥ |D| / √V), 2^(1 − k))

    D is the difference of the means over seeds, V_items its variance over resampled clusters, of which there are m,
    V_row what seeds move a row's mean by (:func:`seed_noise`), ν by Welch and Satterthwaite. ``p_items`` is the share
    of resamples, centred at 0, that differ by |D| or more. It does not suffice alone: what a row's few seeds share is
    no matter of items. V_items already holds what seeds do to single items, so V is rather too large. The k clusters in
    which the rows differ cannot say more than a test of signs does.

    One seed each and independent right or wrong answers: McNemar's exact test instead.

    Where no row has more than one seed, the test is of these trained models.
    """
    from scipy.special import stdtr

    value = row.value - other.value
    moved = row.samples - other.samples
    clusters = len(row.clusters)
    noises = [noise for noise in (row.noise, other.noise) if noise is not None]
    differing = int(np.any(row.clusters != other.clusters, axis=1).sum())
    # Rows that agree everywhere would not on all other items: theirs is the variance of one cluster that differs.
    of_items = float(moved.var()) * clusters / max(1, clusters - 1) if differing else 1 / clusters**2
    items = (of_items, max(1, clusters - 1))
    error, freedom = _error(items, noises)
    if row.binary is not None and other.binary is not None and not noises:
        gained = int(np.sum(row.binary > other.binary))
        return Difference(value, error, freedom, mcnemar(gained, differing - gained), differing)
    if not differing or value == 0:
        return Difference(value, error, freedom, 1.0, differing)
    tail = 2 * float(stdtr(freedom, -abs(value) / error)) if error > 0 else 0.0
    beyond = int(np.sum(np.abs(moved - value) >= abs(value) - 1e-9))
    counted = (beyond + 1) / (len(moved) + 1) if beyond >= COUNTED else 0.0
    return Difference(value, error, freedom, min(1.0, max(tail, counted, 2.0 ** (1 - differing))), differing)


def _error(items: tuple[float, int], noises: Sequence[Noise]) -> tuple[float, float]:
    """Compute the standard error of a difference and its degrees of freedom; of few seeds at most theirs."""
    parts = [items, *((noise.variance, noise.freedom) for noise in noises if not noise.pooled)]
    pooled = [noise for noise in noises if noise.pooled]
    if pooled:
        parts.append((sum(noise.variance for noise in pooled), pooled[0].freedom))
    variance = sum(part for part, _ in parts)
    squares = sum(part * part / free for part, free in parts)
    freedom = variance * variance / squares if squares > 0 else float(items[1])
    few = [float(noise.freedom) for noise in pooled if noise.freedom < FEW_SEEDS and noise.variance > 0]
    return math.sqrt(variance), min([freedom, *few])


def mcnemar(gained: int, lost: int) -> float:
    """McNemar's exact test: two-sided p of the items that one of two systems alone gets right.

    Example:
        >>> round(mcnemar(1, 9), 4)
        0.0215
    """
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def holm(values: Sequence[float], family: int | None = None) -> list[float]:
    """Holm's adjusted p-values (1979): those at most α are rejected, with a chance of at most α of any false one.

    Args:
        values: p-values.
        family: how many comparisons might have been made, those left out included; as many as values by default.

    Raises: ValueError for a family smaller than its values.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    size = len(values) if family is None else family
    if size < len(values):
        raise ValueError(f"a family of {size} cannot hold {len(values)} comparisons")
    adjusted, most = [0.0] * len(values), 0.0
    for place, index in enumerate(sorted(range(len(values)), key=lambda i: values[i])):
        most = max(most, min(1.0, (size - place) * values[index]))
        adjusted[index] = most
    return adjusted
