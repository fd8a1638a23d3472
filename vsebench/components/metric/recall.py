"""Recall@k."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt

from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.registry import METRICS
from vsebench.ops.ranking import skipped_queries


@METRICS.register(
    "recall",
    source="Hodosh et al. 2013, JAIR 47",
    version=1,
    higher_is_better=True,
    shows=share("R"),
    needs=("image", "text"),
)
def recall(predictions: Predictions, *, k: Annotated[int, Gt(0)] = 1) -> dict[str, float]:
    """Count the queries that find a relevant item among the first k: the hit rate that retrieval papers call R@K.

        recall@k = (1/Q) Σ_q P(a relevant item is among the first k), ties in expectation
        chance   = mean_q 1 - C(N - R_q, k) / C(N, k)

    Queries without a relevant item are left out; ``skipped`` is their number.

    Args:
        predictions: of one split (wired).
        k: length of the list.

    Shape: embeddings -> {"i2t/recall@k", "t2i/recall@k" and their chance levels}, shares in [0, 1]

    Raises: MetricError when no query of a direction has a relevant item.

    Example:
        >>> import numpy as np
        >>> e = np.eye(3, dtype=np.float32)
        >>> own = np.arange(3)
        >>> p = Predictions(e, own, embeddings={"image": e, "text": e}, owner=own, groups=own)
        >>> recall(p, k=1)["i2t/recall@1"]
        1.0
    """
    result = skipped_queries(f"recall@{k}", predictions.ranks)
    for direction, ranks in predictions.ranks.items():
        result[f"{direction}/recall@{k}"] = float(ranks.hit(k).mean())
        result[f"{direction}/chance/recall@{k}"] = ranks.chance_hit(k)
    return result
