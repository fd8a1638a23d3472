"""Mean average precision of codes."""

from __future__ import annotations

from typing import Literal

import numpy as np

from vsebench.components.metric._codes import CodePairs
from vsebench.components.metric._expected import average_precision
from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.errors import MetricError
from vsebench.core.registry import METRICS


@METRICS.register(
    "hamming_map",
    source="ties: He et al. 2018, CVPR, and McSherry and Najork 2008; stable: Jiang and Li 2017, arXiv:1602.02255, as "
    "their code sorts; methods 8",
    version=1,
    higher_is_better=True,
    shows=share("Hamming MAP"),
    needs=("image", "text", "codes"),
    forms=("", ":stable"),
)
def hamming_map(predictions: Predictions, *, variant: Literal["stable"] | None = None) -> dict[str, float]:
    """Rank codes by Hamming distance, and average the precision of the lists that end at each relevant item.

        AP          = (1/R) Σ_{i: item i is relevant} |relevant items among the first i| / i, over the whole list
        hamming_map = mean_q AP, in expectation over a random order of the items at the same distance
        …:stable    = mean_q AP with items at the same distance in the gallery's order
        chance      = what a random order reaches: nearly the share of pairs that match, which random codes score

    Codes of c bits have c + 1 distances, so that most items are tied with many others: ``stable``, with which tables
    are published, depends on the order in which the gallery happens to stand. The expectation is exact and needs no
    sort: items are counted by distance. It equals ``map`` of the same codes.

    Relevant is what has the query's group or, for data with several labels per item that match by label, what shares
    one. Queries without a relevant item are left out; ``skipped`` is their number.

    Differs from the source: Jiang and Li's code counts a query without a relevant item as 0, and counts 8 different
    bits of a byte as 7 (methods 9).

    Args:
        predictions: of one split (wired).
        variant: ``stable`` for ties in the gallery's order.

    Shape: codes -> {"i2t/hamming_map", "t2i/hamming_map" and their chance levels}, in [0, 1]

    Raises: MetricError when no query has a relevant item.

    Example:
        >>> codes = np.array([[1, 1], [1, -1], [-1, -1]], dtype=np.float32)
        >>> own, two = np.arange(3), {"image": codes, "text": codes[[1, 1, 2]]}
        >>> p = Predictions(None, own, embeddings=two, owner=own, groups=own, similarity="hamming")
        >>> hamming_map(p)["i2t/hamming_map"], hamming_map(p, variant="stable")["i2t/hamming_map:stable"]
        (0.8333333333333334, 0.8333333333333334)
    """
    entry = "hamming_map" + ("" if variant is None else f":{variant}")
    result: dict[str, float] = {}
    for direction in predictions.directions:
        groups = predictions.distance_counts(direction).tie_groups()
        if not len(groups):
            raise MetricError(f"'{entry}' has nothing to average: no query of {direction} has a relevant item.")
        whole = np.full(len(groups), groups.gallery)
        if variant is None:
            results = average_precision(groups, whole, "all")
        else:
            results = _in_order(predictions.code_pairs(direction))
        result[f"{direction}/{entry}"] = float(results.mean())
        result[f"{direction}/chance/{entry}"] = float(average_precision(groups.shuffled(), whole, "all").mean())
        if groups.skipped:
            result[f"{direction}/skipped/{entry}"] = float(groups.skipped)
    return result


def _in_order(pairs: CodePairs) -> np.ndarray:
    """Average precision of the queries that have a relevant item, float64 (q,)."""
    results = [np.mean(np.arange(1, len(places) + 1) / places) for places in pairs.in_order() if len(places)]
    return np.array(results)
