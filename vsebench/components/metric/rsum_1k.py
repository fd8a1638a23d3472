"""Sum of recalls over folds of 1,000 images."""

from __future__ import annotations

from vsebench.components.metric.base import Predictions
from vsebench.components.metric.recall_1k import FOLD
from vsebench.core.display import Display
from vsebench.core.registry import METRICS
from vsebench.ops.ranking import skipped_queries


@METRICS.register(
    "rsum_1k",
    source="Huang et al. 2017, arXiv:1611.05588, over the folds of COCO 1K; methods 8",
    version=1,
    higher_is_better=True,
    shows=Display("1K rsum", bounds=(0.0, 600.0), digits=1),
    needs=("image", "text"),
    folds=True,
)
def rsum_1k(predictions: Predictions) -> dict[str, float]:
    """Add R@1, R@5 and R@10 of both directions, in percent, each averaged over the folds.

        rsum_1k = mean over folds of rsum

    Queries without a relevant item in their fold are left out; ``skipped`` is their number in each direction.

    Args:
        predictions: of one split (wired), in the dataset's order.

    Shape: embeddings -> {"rsum_1k": in [0, 600]}

    Raises: MetricError if the split is not made of whole thousands, or no query of a fold has a relevant item.

    Example:
        >>> import numpy as np
        >>> e = np.random.default_rng(0).normal(size=(1000, 8)).astype(np.float32)
        >>> own = np.arange(1000)
        >>> rsum_1k(Predictions(None, own, embeddings={"image": e, "text": e}, owner=own, groups=own))
        {'rsum_1k': 600.0}
    """
    folds = predictions.folds(FOLD)
    sums = [sum(float(r.hit(k).mean()) for r in fold.ranks.values() for k in (1, 5, 10)) for fold in folds]
    return {"rsum_1k": 100 * sum(sums) / len(sums), **skipped_queries("rsum_1k", *(fold.ranks for fold in folds))}
