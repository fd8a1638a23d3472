"""The mean over queries of a number of ranked lists, both ways, with its chance level beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vsebench.components.metric._resampled import Drawn
from vsebench.components.metric._tie_groups import TieGroups
from vsebench.components.metric.base import Predictions
from vsebench.core.errors import MetricError
from vsebench.ops.ranking import skipped_queries


def both_ways(predictions: Predictions, entry: str, value: Callable[[TieGroups], np.ndarray]) -> dict[str, float]:
    """Average ``value`` (q,) over the queries that have a relevant item.

    Returns: ``i2t/<entry>`` and ``t2i/<entry>``; ``…/chance/<entry>``, the same of a random order; and
    ``…/skipped/<entry>``, the number of queries without a relevant item, where there are any.

    Raises: MetricError when no query has one.
    """
    result: dict[str, float] = {}
    for direction in predictions.directions:
        results, chance, queries, skipped = 0.0, 0.0, 0, 0
        for groups in predictions.tie_groups(direction):
            results += float(value(groups).sum())
            chance += float(value(groups.shuffled()).sum())
            queries, skipped = queries + len(groups), skipped + groups.skipped
        if not queries:
            raise MetricError(f"'{entry}' has nothing to average: no query of {direction} has a relevant item.")
        result[f"{direction}/{entry}"] = results / queries
        result[f"{direction}/chance/{entry}"] = chance / queries
        if skipped:
            result[f"{direction}/skipped/{entry}"] = float(skipped)
    return result


def both_ways_resampled(
    predictions: Predictions, counts: np.ndarray, entry: str, value: Callable[[TieGroups], np.ndarray]
) -> dict[str, np.ndarray]:
    """Average ``value`` over the queries of resampled items; the gallery stays as it is. Shape: counts (n, B)"""
    result = {}
    for direction in predictions.directions:
        values = np.concatenate([value(groups) for groups in predictions.tie_groups(direction)])
        result[f"{direction}/{entry}"] = Drawn(counts[predictions.queried_items(direction)]).mean_of(values)
    return result


def first_rank(predictions: Predictions, entry: str, average: Callable[[np.ndarray], Any]) -> dict[str, float]:
    """Average the rank of the first relevant item over the queries that have one, both ways.

    Returns: ``i2t/<entry>`` and ``t2i/<entry>``; ``…/skipped/<entry>`` as in :func:`both_ways`.

    Raises: MetricError when no query of a direction has one.
    """
    ranks = predictions.ranks
    values = {f"{direction}/{entry}": float(average(of.first())) for direction, of in ranks.items()}
    return {**values, **skipped_queries(entry, ranks)}
