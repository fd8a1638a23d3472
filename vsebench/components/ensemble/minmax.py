"""Scores between 0 and 1."""

from __future__ import annotations

import numpy as np

from vsebench.components.ensemble._scaled import scaled
from vsebench.core.registry import ENSEMBLES


@ENSEMBLES.register("minmax", source="the usual rescaling to [0, 1], of each query's gallery")
def minmax(scores: np.ndarray) -> np.ndarray:
    """Map each query's lowest score to 0 and its highest to 1; equal scores become 0.

        s' = (s - min) / (max - min)

    Args:
        scores: of queries against their galleries (wired).

    Shape: float64 (b, G) -> float64 (b, G).

    Example:
        >>> minmax(np.array([[1.0, 3.0, 2.0], [4.0, 4.0, 4.0]])).tolist()
        [[0.0, 1.0, 0.5], [0.0, 0.0, 0.0]]
    """
    low, high = scores.min(1, keepdims=True), scores.max(1, keepdims=True)
    return scaled(scores, low, high - low)
