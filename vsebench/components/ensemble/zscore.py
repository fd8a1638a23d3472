"""Scores in standard deviations from their mean."""

from __future__ import annotations

import numpy as np

from vsebench.components.ensemble._scaled import scaled
from vsebench.core.registry import ENSEMBLES


@ENSEMBLES.register("zscore", source="the usual z-score, of each query's gallery")
def zscore(scores: np.ndarray) -> np.ndarray:
    """Subtract each query's mean score and divide by its standard deviation; equal scores become 0.

        s' = (s - mean) / standard deviation

    Args:
        scores: of queries against their galleries (wired).

    Shape: float64 (b, G) -> float64 (b, G).

    Example:
        >>> zscore(np.array([[1.0, 3.0], [4.0, 4.0]])).tolist()
        [[-1.0, 1.0], [0.0, 0.0]]
    """
    return scaled(scores, scores.mean(1, keepdims=True), scores.std(1, keepdims=True))
