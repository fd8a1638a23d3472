"""Normalised discounted cumulative gain."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt

from vsebench.components.metric import _expected
from vsebench.components.metric._both_ways import both_ways, both_ways_resampled
from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.registry import METRICS


def resampled(predictions: Predictions, counts: np.ndarray, *, k: int = 10) -> dict[str, np.ndarray]:
    """Compute the metric of the queries of resampled items."""
    return both_ways_resampled(predictions, counts, f"ndcg@{k}", lambda groups: _expected.ndcg(groups, k))


@METRICS.register(
    "ndcg",
    source="Järvelin and Kekäläinen 2002, ACM TOIS 20(4); ties: McSherry and Najork 2008",
    version=1,
    higher_is_better=True,
    shows=share("nDCG"),
    needs=("image", "text"),
    resample=resampled,
)
def ndcg(predictions: Predictions, *, k: Annotated[int, Gt(0)] = 10) -> dict[str, float]:
    """Discount the gains of the first k items by their place, and divide by what the best order reaches.

        DCG@k  = Σ_{i <= k} gain_i / log2(i + 1)
        ndcg@k = mean_q DCG@k / (DCG@k of the items in order of their gains)
        chance = what a random order reaches

    A gain is 1 for an item of the query's group; for data with several labels per item that match by label, it is the
    number of shared labels. Ties count with their exact expected value under a random order of the tied items. Queries
    without a relevant item are left out; ``skipped`` is their number.

    Differs from the source: the gain counts as it is (not as 2^gain - 1, which Burges et al. 2005 use), and the first
    place is discounted by log2(2) = 1, as scikit-learn has it.

    Args:
        predictions: of one split (wired).
        k: length of the list.

    Shape: embeddings or scores of pairs -> {"i2t/ndcg@k", "t2i/ndcg@k" and their chance levels}, in [0, 1]

    Raises: MetricError for a score that is NaN or infinite, or when no query has a relevant item.

    Example:
        >>> import numpy as np
        >>> own = np.arange(3)
        >>> pairs = np.array([[3, 2, 1], [3, 2, 1], [1, 2, 3]], dtype=np.float32)
        >>> round(ndcg(Predictions(None, own, owner=own, groups=own, pairs=pairs), k=2)["i2t/ndcg@2"], 4)
        0.877
    """
    return both_ways(predictions, f"ndcg@{k}", lambda groups: _expected.ndcg(groups, k))
