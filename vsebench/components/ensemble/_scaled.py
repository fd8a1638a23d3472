"""Scores shifted and divided query by query."""

from __future__ import annotations

import numpy as np


def scaled(scores: np.ndarray, start: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return (s - start) / spread, and zeros for a query that scores all items alike.

    Args:
        scores: float64 (b, G).
        start: (b, 1), of each query.
        spread: (b, 1), of each query; rounding errors of equal scores do not matter.
    """
    flat = scores.min(1, keepdims=True) == scores.max(1, keepdims=True)
    return np.where(flat, 0.0, (scores - start) / np.where(flat, 1.0, spread))
