"""Rsum."""

from __future__ import annotations

from vsebench.metrics.base import Predictions
from vsebench.registry import METRICS


@METRICS.register(
    "rsum", source="Huang et al. 2017, arXiv:1611.05588", version=1, higher_is_better=True, needs=("image", "text")
)
def rsum(predictions: Predictions) -> dict[str, float]:
    """Add R@1, R@5 and R@10 of both directions, in percent.

        rsum = 100 Σ_{d in i2t, t2i} Σ_{k in 1, 5, 10} recall_d@k

    Args:
        predictions: of one split (wired).

    Shape: embeddings -> {"rsum": in [0, 600]}

    Example:
        >>> import numpy as np
        >>> e = np.eye(3, dtype=np.float32)
        >>> own = np.arange(3)
        >>> p = Predictions(e, own, embeddings={"image": e, "text": e}, owner=own, groups=own)
        >>> rsum(p)
        {'rsum': 600.0}
    """
    return {"rsum": float(100 * sum(r.hit(k).mean() for r in predictions.ranks.values() for k in (1, 5, 10)))}
