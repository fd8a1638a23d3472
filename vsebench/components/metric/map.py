"""Mean average precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from annotated_types import Gt

from vsebench.components.metric._both_ways import both_ways, both_ways_resampled
from vsebench.components.metric._expected import Denominator, average_precision
from vsebench.components.metric._tie_groups import TieGroups
from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.errors import ConfigError
from vsebench.core.registry import METRICS


def _entry_and_value(k: int | str | None, variant: Denominator | None) -> tuple[str, Callable[[TieGroups], np.ndarray]]:
    entry = "map" + ("" if k is None else f"@{k}") + ("" if variant is None else f":{variant}")

    def value(groups: TieGroups) -> np.ndarray:
        cut = np.full(len(groups), k if isinstance(k, int) else groups.gallery)
        return average_precision(groups, groups.total if k == "r" else cut, variant or "all")

    return entry, value


def resampled(
    predictions: Predictions, counts: np.ndarray, *, k: int | str | None = None, variant: Denominator | None = None
) -> dict[str, np.ndarray]:
    """Compute the metric of the queries of resampled items."""
    return both_ways_resampled(predictions, counts, *_entry_and_value(k, variant))


@METRICS.register(
    "map",
    source="Manning et al. 2008, IR book, ch. 8; map@r: Musgrave et al. 2020, arXiv:2003.08505, section 3.2; ties: "
    "McSherry and Najork 2008; methods 8",
    version=1,
    higher_is_better=True,
    shows=share("MAP"),
    needs=("image", "text"),
    forms=("", "@r", "@{k}:found", "@{k}:min", "@{k}:all"),
    resample=resampled,
)
def mean_average_precision(
    predictions: Predictions,
    *,
    k: Annotated[int, Gt(0)] | Literal["r"] | None = None,
    variant: Literal["found", "min", "all"] | None = None,
) -> dict[str, float]:
    """Average, over a query's relevant items, the precision of the list that ends at each of them.

        AP       = (1/R) Σ_{i: item i is relevant} |relevant items among the first i| / i
        map      = mean_q AP
        map@k:…  = the same sum over i <= k, divided by the relevant items among the first k (``found``; 0 where there
                   are none), by min(k, R) (``min``) or by R (``all``)
        map@r    = the same sum over i <= R, divided by R
        chance   = what a random order reaches

    Papers call all three of ``map@k`` MAP@k, and they differ much: the variant is part of the name. Ties count with
    their exact expected value under a random order of the tied items, for ``found`` that of the quotient. Queries
    without a relevant item are left out; ``skipped`` is their number.

    Relevant is what has the query's group or, for data with several labels per item that match by label, what shares
    one.

    Args:
        predictions: of one split (wired).
        k: length of the list, or ``r``: as many as the query has relevant items; without it, the whole list.
        variant: what the sum is divided by; with a number k, and only then.

    Shape: embeddings or scores of pairs -> {"i2t/map", "t2i/map" and their chance levels}, in [0, 1]

    Raises: ConfigError for a number k without a variant, or a variant without one. MetricError for a score that is NaN
    or infinite, or when no query has a relevant item.

    Example:
        >>> own = np.arange(3)
        >>> pairs = np.array([[3, 2, 1], [3, 2, 1], [1, 2, 3]], dtype=np.float32)
        >>> p = Predictions(None, own, owner=own, groups=own, pairs=pairs)
        >>> round(mean_average_precision(p)["i2t/map"], 4), mean_average_precision(p, k="r")["i2t/map@r"] * 3
        (0.8333, 2.0)
    """
    if isinstance(k, int) != (variant is not None):
        raise ConfigError("'variant' (found, min or all) goes with a number k, and k with it.", path=("variant",))
    return both_ways(predictions, *_entry_and_value(k, variant))
