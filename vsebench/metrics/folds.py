"""Metrics over folds of 1,000 images, each with its own captions as the whole gallery, as COCO 1K is reported."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vsebench.components.metric.base import Predictions
from vsebench.core.errors import MetricError, did_you_mean, known_names
from vsebench.metrics._arrays import floats, measure, whole


def recall_1k(similarity: ArrayLike, caption_to_image: ArrayLike, *, k: int = 1, direction: str = "i2t") -> float:
    """Compute recall@k averaged over consecutive folds of 1,000 images.

    Args:
        similarity: float (images, captions); ties in expectation. The number of images is a multiple of 1,000.
        caption_to_image: int (captions,), the row of each caption's image.
        k: length of the list, from 1.
        direction: ``i2t`` ranks captions for each image, ``t2i`` images for each caption.

    Returns: a share in [0, 1].

    Raises: MetricError for arrays that do not fit, other numbers of images, or another direction; ConfigError for a k
        below 1.

    Example:
        >>> recall_1k(np.eye(1000), np.arange(1000), k=1)
        1.0
    """
    values = measure("recall_1k", _split(similarity, caption_to_image), k=k)
    directions = {key.partition("/")[0]: value for key, value in values.items()}
    if direction not in directions:
        hint = did_you_mean(direction, directions) + known_names(directions)
        raise MetricError(f"unknown direction '{direction}'.{hint}")
    return directions[direction]


def rsum_1k(similarity: ArrayLike, caption_to_image: ArrayLike) -> float:
    """Add recall at 1, 5 and 10 of both directions, in percent, averaged over folds of 1,000 images.

    Args:
        similarity: float (images, captions); ties in expectation. The number of images is a multiple of 1,000.
        caption_to_image: int (captions,), the row of each caption's image.

    Returns: a sum in [0, 600].

    Raises: MetricError for arrays that do not fit, or other numbers of images.

    Example:
        >>> rsum_1k(np.eye(1000), np.arange(1000))
        600.0
    """
    return measure("rsum_1k", _split(similarity, caption_to_image))["rsum_1k"]


def _split(similarity: ArrayLike, caption_to_image: ArrayLike) -> Predictions:
    scores = floats(similarity, "similarity", "(images, captions)")
    owner = whole(caption_to_image, "caption_to_image", "(captions,)")
    if len(owner) != scores.shape[1]:
        raise MetricError(f"caption_to_image is of {len(owner)} captions, similarity of {scores.shape[1]}.")
    return Predictions(None, np.zeros(len(scores), np.int64), owner=owner, pairs=scores)
