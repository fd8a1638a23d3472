"""Precision@k of images and captions."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt

from vsebench.components.metric._both_ways import both_ways
from vsebench.components.metric._expected import hits
from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.registry import METRICS


@METRICS.register(
    "cross_precision",
    source="Manning et al. 2008, IR book, ch. 8; ties: McSherry and Najork 2008",
    version=1,
    higher_is_better=True,
    shows=share("P"),
    needs=("image", "text"),
)
def cross_precision(predictions: Predictions, *, k: Annotated[int, Gt(0)] = 10) -> dict[str, float]:
    """Look at the first k captions of an image, and at the first k images of a caption: the share that is relevant.

        cross_precision@k = mean_q |relevant items among the first k| / k
        chance            = mean_q R_q / N

    ``precision@k`` is the same among images. Ties count with their expected value under a random order of the tied
    items. Relevant is what has the query's group or, for data with several labels per item that match by label, what
    shares one. Queries without a relevant item are left out; ``skipped`` is their number.

    Args:
        predictions: of one split (wired).
        k: length of the list; the whole gallery where that is shorter.

    Shape: embeddings or scores of pairs -> {"i2t/cross_precision@k", "t2i/cross_precision@k" and their chance levels},
    in [0, 1]

    Raises: MetricError for a score that is NaN or infinite, or when no query has a relevant item.

    Example:
        >>> import numpy as np
        >>> pairs = np.array([[4, 3, 2, 1], [4, 1, 2, 3]], dtype=np.float32)
        >>> p = Predictions(None, np.arange(2), owner=np.array([0, 0, 1, 1]), groups=np.arange(2), pairs=pairs)
        >>> cross_precision(p, k=2)["i2t/cross_precision@2"]
        0.75
    """
    return both_ways(predictions, f"cross_precision@{k}", lambda groups: hits(groups, k) / min(k, groups.gallery))
