"""Share of the relevant items that are found."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt

from vsebench.components.metric._both_ways import both_ways, both_ways_resampled
from vsebench.components.metric._expected import hits
from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.registry import METRICS


def resampled(predictions: Predictions, counts: np.ndarray, *, k: int = 10) -> dict[str, np.ndarray]:
    """Compute the metric of the queries of resampled items."""
    return both_ways_resampled(predictions, counts, f"set_recall@{k}", lambda groups: hits(groups, k) / groups.total)


@METRICS.register(
    "set_recall",
    source="Manning et al. 2008, IR book, ch. 8; ties: McSherry and Najork 2008",
    version=1,
    higher_is_better=True,
    shows=share("set recall"),
    needs=("image", "text"),
    resample=resampled,
)
def set_recall(predictions: Predictions, *, k: Annotated[int, Gt(0)] = 10) -> dict[str, float]:
    """Count the share of a query's relevant items that are among the first k: recall as defined for sets.

        set_recall@k = mean_q |relevant items among the first k| / R
        chance       = min(k, N) / N

    Not what retrieval papers call R@K, which is ``recall@k``: with five captions per image this one is at most 0.2 at
    k = 1. Ties count with their expected value under a random order of the tied items. Relevant is what has the query's
    group or, for data with several labels per item that match by label, what shares one. Queries without a relevant
    item are left out; ``skipped`` is their number.

    Args:
        predictions: of one split (wired).
        k: length of the list.

    Shape: embeddings or scores of pairs -> {"i2t/set_recall@k", "t2i/set_recall@k" and their chance levels}, in [0, 1]

    Raises: MetricError for a score that is NaN or infinite, or when no query has a relevant item.

    Example:
        >>> import numpy as np
        >>> pairs = np.array([[4, 3, 2, 1], [4, 1, 2, 3]], dtype=np.float32)
        >>> p = Predictions(None, np.arange(2), owner=np.array([0, 0, 1, 1]), groups=np.arange(2), pairs=pairs)
        >>> set_recall(p, k=1)["i2t/set_recall@1"], set_recall(p, k=2)["i2t/set_recall@2"]
        (0.25, 0.75)
    """
    return both_ways(predictions, f"set_recall@{k}", lambda groups: hits(groups, k) / groups.total)
