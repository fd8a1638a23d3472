"""Metrics of binary codes of −1 and +1, ranked by Hamming distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vsebench.components.metric._matrix import MatrixPredictions
from vsebench.core.errors import MetricError
from vsebench.metrics._arrays import floats, measure, whole


def hamming_map(queries: ArrayLike, gallery: ArrayLike, relevant: ArrayLike, *, variant: str | None = None) -> float:
    """Compute mean average precision over the whole list by Hamming distance.

    Args:
        queries: (Q, c), codes of −1 and +1.
        gallery: (G, c), codes of −1 and +1.
        relevant: bool (Q, G). Queries without a relevant item are left out.
        variant: None for the exact expectation over the order of items at one distance; ``stable`` for the gallery's
            order, with which tables are published.

    Returns: a mean in [0, 1].

    Raises: MetricError for arrays that do not fit, other numbers than −1 and +1, or when no query has a relevant item;
        ConfigError for another variant.

    Example:
        >>> hamming_map([[1, 1]], [[1, -1], [1, 1]], [[1, 0]])
        0.5
    """
    (value,) = measure("hamming_map", _codes(queries, gallery, relevant), variant=variant).values()
    return value


def hamming_lookup(
    queries: ArrayLike, gallery: ArrayLike, relevant: ArrayLike, *, k: int = 2, variant: str | None = None
) -> dict[str, float]:
    """Return all items within a Hamming distance, and compute how many of them match and how many matches they are.

    Args:
        queries: (Q, c), codes of −1 and +1.
        gallery: (G, c), codes of −1 and +1.
        relevant: bool (Q, G). Queries without a relevant item are left out.
        k: radius in bits, from 0.
        variant: None for means over queries; ``micro`` to pool all pairs.

    Returns: ``precision``, ``recall`` and ``f1`` in [0, 1], and ``empty``, the number of queries for which nothing is
        within the radius; no precision and f1 of ``micro`` where nothing is returned at all.

    Raises: MetricError as :func:`hamming_map`; ConfigError for another variant or a negative radius.

    Example:
        >>> hamming_lookup([[1, 1]], [[1, -1], [1, 1]], [[1, 0]], k=1)
        {'precision': 0.5, 'recall': 1.0, 'f1': 0.6666666666666666, 'empty': 0.0}
    """
    result = measure("hamming_lookup", _codes(queries, gallery, relevant), k=k, variant=variant)
    return {key.rpartition("/")[2]: value for key, value in result.items()}


def _codes(queries: ArrayLike, gallery: ArrayLike, relevant: ArrayLike) -> MatrixPredictions:
    left, right = floats(queries, "queries", "(Q, c)"), floats(gallery, "gallery", "(G, c)")
    matches = whole(relevant, "relevant", "(Q, G)")
    if left.shape[1] != right.shape[1]:
        raise MetricError(f"queries are codes of {left.shape[1]} bits, gallery of {right.shape[1]}.")
    if matches.shape != (len(left), len(right)):
        raise MetricError(
            f"relevant has shape {matches.shape}; it must be {(len(left), len(right))}, (queries, gallery)."
        )
    for name, codes in (("queries", left), ("gallery", right)):
        wrong = np.flatnonzero((np.abs(codes) != 1).any(1))
        if len(wrong):
            raise MetricError(f"{name} must hold −1 and +1; row {wrong[0]} holds other numbers.")
    return MatrixPredictions(matches, embeddings={"image": left, "text": right}, similarity="hamming")
