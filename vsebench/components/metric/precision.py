"""Precision@k among images."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt

from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.registry import METRICS


@METRICS.register(
    "precision",
    source="Manning et al. 2008, IR book, ch. 8; VSE, section 4.2: related images of a query item",
    version=1,
    higher_is_better=True,
    shows=share("P"),
    needs=("image",),
)
def precision(predictions: Predictions, *, k: Annotated[int, Gt(0)] = 10) -> dict[str, float]:
    """Look at each image's k nearest other images: the share with its class.

        precision@k = (1/n) Σ_i |{j in top_k(i): j shares a label with i}| / k, ties at the k-th place in expectation

    A system with a re-ranker also gets the number after re-ranking, under the key ``i2i/reranked/precision@k``.

    Args:
        predictions: of one split (wired).
        k: number of neighbours; all others when there are fewer. Of a single image, which has none, it is 0.

    Shape: image embeddings (n, E), labels -> {"i2i/precision@k"}, share in [0, 1]

    Example:
        >>> import numpy as np
        >>> e = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], dtype=np.float32)
        >>> precision(Predictions(e, np.array([0, 0, 1, 1]), embeddings={"image": e}), k=1)
        {'i2i/precision@1': 1.0}
    """
    result = {f"i2i/precision@{k}": float(predictions.neighbours(k, reranked=False).mean())}
    if predictions.rerank is not None:
        result[f"i2i/reranked/precision@{k}"] = float(predictions.neighbours(k, reranked=True).mean())
    return result
