"""Hash lookup."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from vsebench.components.metric._lookup import balls
from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.errors import MetricError
from vsebench.core.registry import METRICS


@METRICS.register(
    "hamming_lookup",
    source="Jiang and Li 2017, arXiv:1602.02255, section 4.2; methods 8",
    version=1,
    higher_is_better=True,
    shows=share("lookup", parts={"precision": "P", "recall": "R", "f1": "F1"}),
    needs=("image", "text", "codes"),
    forms=("@{k}", "@{k}:micro"),
)
def hamming_lookup(
    predictions: Predictions, *, k: Annotated[int, Ge(0)] = 2, variant: Literal["micro"] | None = None
) -> dict[str, float]:
    """Return all items within a Hamming distance: how many of them match, and how many of the matches they are.

        precision = mean_q |relevant items within k| / |items within k|, 0 where there are none
        recall    = mean_q |relevant items within k| / R_q
        f1        = mean_q 2 P_q R_q / (P_q + R_q), 0 where both are
        …:micro   = the same quotients of the sums over all queries; no precision and f1 where nothing is returned
        empty     = the number of queries for which nothing is returned
        chance    = precision and recall of balls of the same sizes that are filled at random

    As a list of a fixed radius it has no ties. Relevant is what has the query's group or, for data with several labels
    per item that match by label, what shares one. Queries without a relevant item are left out; ``skipped`` is their
    number.

    Differs from the source: there a pooled precision (``micro``) of nothing is 0, and what queries without a relevant
    item return is in the pool; here they are left out of both forms.

    Args:
        predictions: of one split (wired).
        k: radius, in bits; the whole gallery from the length of a code on.
        variant: ``micro`` to pool all pairs of a query and an item within the radius.

    Shape: codes -> {"i2t/hamming_lookup@k/precision", "…/recall", "…/f1", "…/empty", the same of t2i, chance levels},
    shares in [0, 1], and counts

    Raises: MetricError when no query has a relevant item.

    Example:
        >>> codes = np.array([[1, 1, 1], [1, 1, -1], [-1, -1, -1]], dtype=np.float32)
        >>> own, labels = np.arange(3), np.array([0, 0, 1])
        >>> both = {"image": codes, "text": codes}
        >>> p = Predictions(None, labels, embeddings=both, owner=own, groups=labels, similarity="hamming")
        >>> found = hamming_lookup(p, k=0)
        >>> found["i2t/hamming_lookup@0/precision"], round(found["i2t/hamming_lookup@0/recall"], 4)
        (1.0, 0.6667)
    """
    entry = f"hamming_lookup@{k}" + ("" if variant is None else f":{variant}")
    result: dict[str, float] = {}
    for direction in predictions.directions:
        counts = predictions.distance_counts(direction)
        if not counts.with_relevant.any():
            raise MetricError(f"'{entry}' has nothing to average: no query of {direction} has a relevant item.")
        results = balls(counts, min(k, counts.bits))
        for name, value in (results.micro() if variant else results.macro()).items():
            result[f"{direction}/{entry}/{name}"] = value
        result[f"{direction}/{entry}/empty"] = float(np.count_nonzero(results.returned == 0))
        for name, value in (results.chance().micro() if variant else results.chance().macro()).items():
            if name != "f1":
                result[f"{direction}/chance/{entry}/{name}"] = value
        if skipped := int((~counts.with_relevant).sum()):
            result[f"{direction}/skipped/{entry}"] = float(skipped)
    return result
