"""Scores as they are."""

from __future__ import annotations

import numpy as np

from vsebench.core.registry import ENSEMBLES


@ENSEMBLES.register("none", source="Lee et al. 2018, arXiv:1803.08024, the ensembles of its two directions")
def none(scores: np.ndarray) -> np.ndarray:
    """Leave the scores as they are.

    Args:
        scores: of queries against their galleries (wired).

    Shape: float64 (b, G) -> float64 (b, G).

    Example:
        >>> none(np.array([[5.0, 9.0]])).tolist()
        [[5.0, 9.0]]
    """
    return scores
