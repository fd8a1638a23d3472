"""Recall@k over folds of 1,000 images."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt

from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.registry import METRICS
from vsebench.ops.ranking import DIRECTIONS, skipped_queries

FOLD = 1_000


@METRICS.register(
    "recall_1k",
    source="Karpathy and Fei-Fei 2015, as VSE++ and SCAN report COCO 1K; methods 8, coco_1k_fold5",
    version=1,
    higher_is_better=True,
    shows=share("1K R"),
    needs=("image", "text"),
    folds=True,
)
def recall_1k(predictions: Predictions, *, k: Annotated[int, Gt(0)] = 1) -> dict[str, float]:
    """Average recall@k over consecutive folds of 1,000 images, each with its own captions as the whole gallery.

        recall_1k@k = mean over folds f of recall@k within images 1000 f … 1000 f + 999

    Not to be compared with recall@k of the whole split: a gallery of 1,000 is easier than one of 5,000.

    Queries without a relevant item in their fold are left out; ``skipped`` is their number.

    Args:
        predictions: of one split (wired), in the dataset's order.
        k: length of the list.

    Shape: embeddings -> {"i2t/recall_1k@k", "t2i/recall_1k@k" and their chance levels}, shares in [0, 1]

    Raises: MetricError if the split is not made of whole thousands, or no query of a fold has a relevant item.

    Example:
        >>> import numpy as np
        >>> e = np.random.default_rng(0).normal(size=(2000, 8)).astype(np.float32)
        >>> own = np.arange(2000)
        >>> p = Predictions(None, own, embeddings={"image": e, "text": e}, owner=own, groups=own)
        >>> recall_1k(p, k=1)["i2t/recall_1k@1"]
        1.0
    """
    folds = predictions.folds(FOLD)
    result = skipped_queries(f"recall_1k@{k}", *(fold.ranks for fold in folds))
    for direction in DIRECTIONS:
        ranks = [fold.ranks[direction] for fold in folds]
        result[f"{direction}/recall_1k@{k}"] = sum(float(r.hit(k).mean()) for r in ranks) / len(ranks)
        result[f"{direction}/chance/recall_1k@{k}"] = sum(r.chance_hit(k) for r in ranks) / len(ranks)
    return result
