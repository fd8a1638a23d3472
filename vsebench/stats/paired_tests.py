"""Paired tests of rows on the same items, and their correction for being many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ALPHA = 0.05
#: Fewer resamples than this beyond the difference are too few to count by; the t-distribution's tail decides then.
COUNTED = 10
#: Up to so many degrees of freedom of the seeds of a whole table (two rows of three seeds have 4), the variance over
#: seeds has only those of one row: nothing is known of how far the rows' variances differ.
FEW_SEEDS = 4
#: How sure it has to be that seeds move a row more than its single items do, before its own variance counts.
OWN = 0.97


@dataclass(frozen=True)
class Difference:
    """A row against another, on the same items.

    Args:
        value: mean of the row minus that of the other.
        error: its standard error, over items and seeds.
        freedom: degrees of freedom of the error.
        p: two-sided, not adjusted.
        differing: clusters in which the two differ at all.
        seeds: share of the error's square that is of seeds, in [0, 1].
    """

    value: float
    error: float
    freedom: float
    p: float
    differing: int = 0
    seeds: float = 0.0

    def quantile(self, level: float) -> float:
        """Return how far above its mean the difference's t-distribution has a level such as 0.975."""
        from scipy.special import stdtrit

        return float(stdtrit(self.freedom, level)) * self.error


@dataclass(frozen=True)
class Noise:
    """What training with other seeds moves a row's mean by.

    Args:
        variance: of the mean over seeds, beyond what the resampled items already hold of it.
        estimated: the variance with that, which the degrees of freedom are of.
        freedom: degrees of freedom.
        pooled: whether the degrees of freedom are shared with the other rows of the table.
    """

    variance: float
    estimated: float
    freedom: int
    pooled: bool


@dataclass(frozen=True)
class Scores:
    """A row of a table, as far as tests see it.

    Args:
        value: mean over seeds.
        noise: of the seeds; None where no row of the table has more than one.
        samples: float64 (B,), the value on resampled clusters, the same samples for every row.
        count: m, clusters that were resampled.
        clusters: float64 (m, P), the row's scores in each cluster, part by part; None of a number that is no mean over
            items.
        binary: float64 (n,) of 0 and 1 where there is one seed and every item is a cluster of its own; else None.
    """

    value: float
    noise: Noise | None
    samples: np.ndarray
    count: int
    clusters: np.ndarray | None = None
    binary: np.ndarray | None = None


def seed_noise(seeds: Sequence[Sequence[float]], of_items: Sequence[float] | None = None) -> list[Noise | None]:
    """Compute what seeds move a table's rows by, beyond single items.

        s² = max(own, pool),   variance = max(0, s² − e) / seeds

    ``pool`` is the mean of all rows' variances over seeds, with the degrees of freedom of all; a row's own counts where
    it is larger, and larger than chance on single items makes it (χ² at ``OWN``). Two or three seeds that happen to
    agree say little, so that a smaller one does not. ``e`` is the mean of ``of_items``.

    Args:
        seeds: each row's values, seed by seed.
        of_items: what single items that come out otherwise with each seed move one seed's value by, as a variance: the
            interaction of items and seeds. The variance over resampled items holds it too, and it counts once. None
            takes it for 0.

    Returns: for each row; None for all where no row has two seeds.

    Example:
        >>> [n.pooled for n in seed_noise([[0.80, 0.80]] * 9 + [[0.70, 0.74]])].index(False)
        9
    """
    from scipy.special import chdtri

    freedoms = [len(row_seeds) - 1 for row_seeds in seeds]
    if not (freedom := sum(freedoms)):
        return [None] * len(seeds)
    pool = sum(float(np.var(row_seeds)) * len(row_seeds) for row_seeds in seeds) / freedom
    chance = sum(free * e for free, e in zip(freedoms, of_items or [0.0] * len(seeds), strict=True)) / freedom
    few = freedom <= FEW_SEEDS
    results: list[Noise | None] = []
    for row_seeds, free in zip(seeds, freedoms, strict=True):
        of_row = float(np.var(row_seeds, ddof=1)) if free else 0.0
        alone = of_row > pool * (1 + 1e-9) and of_row > chance * float(chdtri(free, 1 - OWN)) / free
        variance = of_row if alone else pool
        beyond = max(0.0, variance - chance) / len(row_seeds)
        shared = max(freedoms) if few else freedom
        results.append(Noise(beyond, variance / len(row_seeds), free if alone else shared, few or not alone))
    return results


def difference(row: Scores, other: Scores) -> Difference:
    """Test a row against another.

        V = V_items + V_row + V_other
        ν = V² / (V_items² / (m − 1) + s_row⁴ / ν_row + s_other⁴ / ν_other)
        p = max(p_items, P(|t_ν| ≥ |D| / √V), 2^(1 − k))

    D is the difference of the means over seeds, V_items its variance over resampled clusters, of which there are m,
    V_row what seeds move a row's mean by beyond that, estimated from s² of it (:func:`seed_noise`), ν by Welch and
    Satterthwaite. ``p_items`` is the share of resamples, centred at 0, that differ by |D| or more. It does not suffice
    alone: what a row's few seeds share is no matter of items. The k clusters in which the rows differ cannot say more
    than a test of signs does.

    One seed each and independent right or wrong answers: McNemar's exact test instead.

    Where no row has more than one seed, the test is of these trained models.
    """
    from scipy.special import stdtr

    value = row.value - other.value
    moved = row.samples - other.samples
    clusters = row.count
    noises = [noise for noise in (row.noise, other.noise) if noise is not None]
    differing = _differing(row, other)
    # Rows that agree everywhere would not on all other items: theirs is the variance of one cluster that differs.
    of_items = float(moved.var()) * clusters / max(1, clusters - 1) if differing else 1 / clusters**2
    items = (of_items, max(1, clusters - 1))
    error, freedom, share = _error(items, noises)
    if row.binary is not None and other.binary is not None and not noises:
        gained = int(np.sum(row.binary > other.binary))
        p = mcnemar(gained, differing - gained)
    elif not differing or value == 0:
        p = 1.0
    else:
        tail = 2 * float(stdtr(freedom, -abs(value) / error)) if error > 0 else 0.0
        centre = value if row.clusters is not None else moved.mean()  # what is no mean over items has a bias
        beyond = int(np.sum(np.abs(moved - centre) >= abs(value) - 1e-9))
        counted = (beyond + 1) / (len(moved) + 1) if beyond >= COUNTED else 0.0
        p = min(1.0, max(tail, counted, 2.0 ** (1 - differing)))
    return Difference(value, error, freedom, p, differing, share)


def _differing(row: Scores, other: Scores) -> int:
    """Count the clusters in which two rows differ.

    Of a number that is no mean over items it is read off the resamples in which they do not: these hold none of k
    clusters with a chance of exp(−k). Where there are none, of all clusters.
    """
    if row.clusters is not None and other.clusters is not None:
        return int(np.any(row.clusters != other.clusters, axis=1).sum())
    equal = float(np.mean(row.samples == other.samples))
    return round(-math.log(equal)) if equal > 0 else row.count


def _error(items: tuple[float, int], noises: Sequence[Noise]) -> tuple[float, float, float]:
    """Compute a difference's standard error, its degrees of freedom, and the share of its square that is of seeds."""
    seeds = sum(noise.variance for noise in noises)
    variance = items[0] + seeds
    estimates = [(noise.estimated, noise.freedom) for noise in noises if noise.variance > 0 and not noise.pooled]
    pooled = [noise for noise in noises if noise.variance > 0 and noise.pooled]
    if pooled:
        estimates.append((sum(noise.estimated for noise in pooled), pooled[0].freedom))
    squares = sum(part * part / free for part, free in [items, *estimates])
    freedom = variance * variance / squares if squares > 0 else float(items[1])
    return math.sqrt(variance), freedom, seeds / variance if variance > 0 else 0.0


def mcnemar(gained: int, lost: int) -> float:
    """McNemar's exact test: two-sided p of the items that one of two systems alone gets right.

    Example:
        >>> round(mcnemar(1, 9), 4)
        0.0215
    """
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5)))


def comparisons(rows: int, seeds: float) -> float:
    """Compute for how many comparisons the p of a row's difference to the leader of its table is corrected.

        z(M)² = (1 − seeds) z(M_leader)² + seeds z(M_pairs)²,   z(M) = Φ⁻¹(1 − α / 2M)
        M_leader = max((rows − 1) / 2, min(rows − 1, 3)),   M_pairs = rows (rows − 1) / 2

    Only rows that are worse than the leader matter, one side of a two-sided p: half as many comparisons as other rows.
    But the leader was chosen on validation, among others for seeds that came out well, and these come out well on test
    too: as far as seeds make the difference, any pair of rows might have been the one that is compared.

    Args:
        rows: of the table.
        seeds: share of the difference's variance that is of seeds.

    Example:
        >>> [round(comparisons(10, share), 1) for share in (0, 0.5, 1)]
        [4.5, 14.4, 45.0]
    """
    from scipy.special import ndtr, ndtri

    if rows < 3:
        return 1.0
    leader, pairs = max((rows - 1) / 2, min(rows - 1, 3)), rows * (rows - 1) / 2
    squares = [float(ndtri(ALPHA / 2 / family)) ** 2 for family in (leader, pairs)]
    return ALPHA / 2 / float(ndtr(-math.sqrt((1 - seeds) * squares[0] + seeds * squares[1])))


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
