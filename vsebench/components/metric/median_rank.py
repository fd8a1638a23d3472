"""Median rank."""

from __future__ import annotations

import numpy as np

from vsebench.components.metric._both_ways import first_rank
from vsebench.components.metric.base import Predictions
from vsebench.core.display import Display
from vsebench.core.registry import METRICS


@METRICS.register(
    "median_rank",
    source="Karpathy and Fei-Fei 2015, arXiv:1412.2306",
    version=1,
    higher_is_better=False,
    shows=Display("MedR", bounds=(1.0, None), digits=1),
    needs=("image", "text"),
)
def median_rank(predictions: Predictions) -> dict[str, float]:
    """Take the median over queries of the rank of the first relevant item.

        MedR = median_q rank_q, 1-based, ties in expectation

    Queries without a relevant item are left out; ``skipped`` is their number.

    Args:
        predictions: of one split (wired).

    Shape: embeddings -> {"i2t/median_rank", "t2i/median_rank"}, >= 1

    Raises: MetricError when no query of a direction has a relevant item.

    Example:
        >>> import numpy as np
        >>> e = np.eye(3, dtype=np.float32)
        >>> own = np.arange(3)
        >>> p = Predictions(e, own, embeddings={"image": e, "text": e}, owner=own, groups=own)
        >>> median_rank(p)["t2i/median_rank"]
        1.0
    """
    return first_rank(predictions, "median_rank", np.median)
