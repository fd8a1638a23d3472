"""Mean rank."""

from __future__ import annotations

import numpy as np

from vsebench.components.metric._both_ways import first_rank
from vsebench.components.metric.base import Predictions
from vsebench.core.display import Display
from vsebench.core.registry import METRICS


@METRICS.register(
    "mean_rank",
    source="Faghri et al. 2018, arXiv:1707.05612",
    version=1,
    higher_is_better=False,
    shows=Display("mean rank", bounds=(1.0, None), digits=1),
    needs=("image", "text"),
)
def mean_rank(predictions: Predictions) -> dict[str, float]:
    """Take the mean over queries of the rank of the first relevant item.

        MeanR = mean_q rank_q, 1-based, ties in expectation

    Queries without a relevant item are left out; ``skipped`` is their number.

    Args:
        predictions: of one split (wired).

    Shape: embeddings -> {"i2t/mean_rank", "t2i/mean_rank"}, >= 1

    Raises: MetricError when no query of a direction has a relevant item.

    Example:
        >>> import numpy as np
        >>> e = np.eye(3, dtype=np.float32)
        >>> own = np.arange(3)
        >>> p = Predictions(e, own, embeddings={"image": e, "text": e}, owner=own, groups=own)
        >>> mean_rank(p)["t2i/mean_rank"]
        1.0
    """
    return first_rank(predictions, "mean_rank", np.mean)
