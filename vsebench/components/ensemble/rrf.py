"""Reciprocal rank fusion."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge
from scipy.stats import rankdata

from vsebench.core.registry import ENSEMBLES


@ENSEMBLES.register("rrf", source="Cormack et al. 2009, reciprocal rank fusion, SIGIR")
def rrf(scores: np.ndarray, *, k: Annotated[float, Ge(0)] = 60.0) -> np.ndarray:
    """Replace each score by the reciprocal of its rank.

        s' = 1 / (k + r)

    with r the item's rank from 1; tied items share the mean of their ranks.

    Args:
        scores: of queries against their galleries (wired).
        k: how little the first ranks stand out, >= 0.

    Shape: float64 (b, G) -> float64 (b, G).

    Example:
        >>> rrf(np.array([[5.0, 9.0]]), k=1.0).round(3).tolist()
        [[0.333, 0.5]]
    """
    reciprocals: np.ndarray = 1 / (k + rankdata(-scores, axis=1))
    return reciprocals
