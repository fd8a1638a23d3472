"""Means and intervals over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and the half-width of its 95 % t-interval; None with one seed.

    Example:
        >>> estimate([0.80, 0.82, 0.84]).text(percent=True)
        '82.0 ± 5.0'
    """

    mean: float
    half: float | None
    count: int

    def text(self, *, percent: bool = False, digits: int = 1) -> str:
        """Format the mean and its interval as a cell."""
        factor = 100 if percent else 1
        mean = f"{factor * self.mean:z.{digits}f}"
        return mean if self.half is None else f"{mean} ± {factor * self.half:.{digits}f}"


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and t-interval: half = t_{0.975, n-1} · s / sqrt(n), s the sample standard deviation.

    Raises: ValueError without values.
    """
    if not values:
        raise ValueError("an estimate needs at least one value")
    count = len(values)
    mean = math.fsum(values) / count
    if count == 1:
        return Estimate(mean, None, 1)
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (count - 1))
    return Estimate(mean, t_quantile(count - 1, (1 + LEVEL) / 2) * deviation / math.sqrt(count), count)


@cache
def t_quantile(freedom: int, level: float) -> float:
    """Compute a quantile of Student's t-distribution."""
    from scipy.stats import t

    return float(t.ppf(level, freedom))


def item_half_width(share: float, items: int) -> float:
    """Half-width of Wilson's 95 % interval of a share over items: what another test set of this size may move.

    Example:
        >>> round(item_half_width(0.9, 800), 3)
        0.021
    """
    low, high = wilson_interval(share, items)
    return (high - low) / 2


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share.

        (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n)

    Of scores within [0, 1] that are not only 0 and 1 it is too wide rather than too narrow: their variance is at most
    p(1 − p).

    Args:
        share: in [0, 1].
        count: independent items or clusters, ≥ 1.

    Example:
        >>> tuple(round(v, 4) for v in wilson_interval(1.0, 50))
        (0.9287, 1.0)
    """
    z = 1.959963984540054
    centre, scale = (share + z * z / (2 * count)), 1 + z * z / count
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # It holds the share itself; at 0 and 1 rounding would put an end beside it.
    return max(0.0, min(share, (centre - half) / scale)), min(1.0, max(share, (centre + half) / scale))
