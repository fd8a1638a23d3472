"""The share of the gallery that is ranked below an item."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from vsebench.core.registry import ENSEMBLES


@ENSEMBLES.register("rank", source="Borda count, divided by the size of the gallery")
def rank(scores: np.ndarray) -> np.ndarray:
    """Replace each score by the share of the other items that it outranks; equal scores become one half.

        s' = 1 - (r - 1) / (G - 1)

    with r the item's rank from 1; tied items share the mean of their ranks.

    Args:
        scores: of queries against their galleries of G items (wired).

    Shape: float64 (b, G) -> float64 (b, G).

    Example:
        >>> rank(np.array([[1.0, 7.0, 2.0]])).tolist()
        [[0.0, 1.0, 0.5]]
    """
    ranks = rankdata(-scores, axis=1)
    shares: np.ndarray = 1 - (ranks - 1) / max(1, scores.shape[1] - 1)
    return shares
