"""Rsum."""

from __future__ import annotations

from vsebench.components.metric.base import Predictions
from vsebench.core.display import Display
from vsebench.core.registry import METRICS
from vsebench.ops.ranking import skipped_queries


@METRICS.register(
    "rsum",
    source="Huang et al. 2017, arXiv:1611.05588",
    version=1,
    higher_is_better=True,
    shows=Display("rsum", bounds=(0.0, 600.0), digits=1),
    needs=("image", "text"),
)
def rsum(predictions: Predictions) -> dict[str, float]:
    """Add R@1, R@5 and R@10 of both directions, in percent.

        rsum = 100 Σ_{d in i2t, t2i} Σ_{k in 1, 5, 10} recall_d@k

    Queries without a relevant item are left out; ``skipped`` is their number in each direction.

    Args:
        predictions: of one split (wired).

    Shape: embeddings -> {"rsum": in [0, 600]}

    Raises: MetricError when no query of a direction has a relevant item.

    Example:
        >>> import numpy as np
        >>> e = np.eye(3, dtype=np.float32)
        >>> own = np.arange(3)
        >>> p = Predictions(e, own, embeddings={"image": e, "text": e}, owner=own, groups=own)
        >>> rsum(p)
        {'rsum': 600.0}
    """
    ranks = predictions.ranks
    total = float(100 * sum(r.hit(k).mean() for r in ranks.values() for k in (1, 5, 10)))
    return {"rsum": total, **skipped_queries("rsum", ranks)}
