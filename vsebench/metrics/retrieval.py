"""Metrics of ranked lists: a matrix of similarities against one that says what is relevant.

``similarity`` is (Q, G), a row of scores for each query, greater is nearer; ``relevant`` is bool (Q, G). Relevance is
given, never taken from the diagonal. Queries without a relevant item are left out. The other direction is measured with
both matrices transposed.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from vsebench.components.metric._matrix import MatrixPredictions
from vsebench.components.metric.base import Predictions
from vsebench.core.errors import MetricError
from vsebench.metrics._arrays import floats, measure, same_shape, whole


def recall(similarity: ArrayLike, relevant: ArrayLike, *, k: int = 1) -> float:
    """Compute the share of queries with a relevant item among the first k: the R@K of retrieval papers.

    The share of a query's relevant items that are found is :func:`set_recall`.

    Args:
        similarity: float (Q, G), scores of the gallery for each query; ties in expectation.
        relevant: bool (Q, G).
        k: length of the list, from 1.

    Returns: a share in [0, 1].

    Raises: MetricError for arrays that do not fit, a NaN or infinite score, or when no query has a relevant item;
        ConfigError for a k below 1.

    Example:
        >>> recall([[0.9, 0.1], [0.8, 0.2]], [[1, 0], [0, 1]], k=1)
        0.5
    """
    return _ranked("recall", similarity, relevant, k=k)


def set_recall(similarity: ArrayLike, relevant: ArrayLike, *, k: int = 10) -> float:
    """Compute the mean share of a query's relevant items that are among the first k.

    Args:
        similarity: float (Q, G), scores of the gallery for each query; ties in expectation.
        relevant: bool (Q, G).
        k: length of the list, from 1.

    Returns: a share in [0, 1].

    Raises: MetricError and ConfigError as :func:`recall`.

    Example:
        >>> set_recall([[0.9, 0.1, 0.3]], [[1, 1, 0]], k=2)
        0.5
    """
    return _ranked("set_recall", similarity, relevant, k=k)


def cross_precision(similarity: ArrayLike, relevant: ArrayLike, *, k: int = 10) -> float:
    """Compute the mean share of the first k that is relevant; of the whole gallery where that is shorter.

    Args:
        similarity: float (Q, G), scores of the gallery for each query; ties in expectation.
        relevant: bool (Q, G).
        k: length of the list, from 1.

    Returns: a share in [0, 1].

    Raises: MetricError and ConfigError as :func:`recall`.

    Example:
        >>> cross_precision([[0.9, 0.1, 0.3]], [[1, 1, 0]], k=2)
        0.5
    """
    return _ranked("cross_precision", similarity, relevant, k=k)


def map(similarity: ArrayLike, relevant: ArrayLike, *, k: int | str | None = None, variant: str | None = None) -> float:
    """Compute the mean over queries of average precision.

        AP = (1/R) Σ_{i: item i is relevant} |relevant items among the first i| / i

    Args:
        similarity: float (Q, G), scores of the gallery for each query; ties with their exact expected value.
        relevant: bool (Q, G).
        k: length of the list; ``r``, as many as the query has relevant items; None for the whole list.
        variant: what the sum is divided by, with a number k and only then: ``found`` (relevant items among the first
            k), ``min`` (min(k, R)) or ``all`` (R). Papers call all three MAP@k.

    Returns: a mean in [0, 1].

    Raises: MetricError as :func:`recall`; ConfigError for a number k without a variant, or a variant without one.

    Example:
        >>> map([[3, 2, 1], [3, 2, 1]], [[1, 0, 0], [0, 1, 0]])
        0.75
    """
    return _ranked("map", similarity, relevant, k=k, variant=variant)


def ndcg(similarity: ArrayLike, gains: ArrayLike, *, k: int = 10) -> float:
    """Compute the mean over queries of normalised discounted cumulative gain.

        Σ_{i <= k} gain_i / log2(i + 1), divided by the same sum of the best order

    Args:
        similarity: float (Q, G), scores of the gallery for each query; ties with their exact expected value.
        gains: bool or int (Q, G), how relevant each item is; 0 is not. They count as they are, not as 2^gain - 1.
        k: length of the list, from 1.

    Returns: a mean in [0, 1].

    Raises: MetricError and ConfigError as :func:`recall`.

    Example:
        >>> round(ndcg([[3, 2, 1]], [[0, 2, 1]], k=2), 4)
        0.4796
    """
    return _ranked("ndcg", similarity, gains, name="gains", k=k)


def median_rank(similarity: ArrayLike, relevant: ArrayLike) -> float:
    """Compute the median over queries of the rank of the first relevant item.

    Args:
        similarity: float (Q, G), scores of the gallery for each query; ties in expectation.
        relevant: bool (Q, G).

    Returns: a rank, from 1.

    Raises: MetricError as :func:`recall`.

    Example:
        >>> median_rank([[0.9, 0.1], [0.8, 0.2]], [[1, 0], [0, 1]])
        1.5
    """
    return _ranked("median_rank", similarity, relevant)


def mean_rank(similarity: ArrayLike, relevant: ArrayLike) -> float:
    """Compute the mean over queries of the rank of the first relevant item.

    Args:
        similarity: float (Q, G), scores of the gallery for each query; ties in expectation.
        relevant: bool (Q, G).

    Returns: a rank, from 1.

    Raises: MetricError as :func:`recall`.

    Example:
        >>> mean_rank([[0.9, 0.1], [0.8, 0.2]], [[1, 0], [0, 1]])
        1.5
    """
    return _ranked("mean_rank", similarity, relevant)


def rsum(similarity: ArrayLike, relevant: ArrayLike) -> float:
    """Add recall at 1, 5 and 10 of both directions, in percent.

    Args:
        similarity: float (images, captions); ties in expectation.
        relevant: bool (images, captions).

    Returns: a sum in [0, 600].

    Raises: MetricError as :func:`recall`, for either direction.

    Example:
        >>> rsum([[0.9, 0.1], [0.1, 0.9]], [[1, 0], [0, 1]])
        600.0
    """
    return measure("rsum", _matrix(similarity, relevant, "relevant", both=True))["rsum"]


def precision(embeddings: ArrayLike, labels: ArrayLike, *, k: int = 10) -> float:
    """Compute the mean share of each item's k nearest others, by cosine, that share a label with it.

    Args:
        embeddings: float (n, E).
        labels: int (n,), class numbers; or 0/1 (n, C).
        k: number of neighbours, from 1; all others where there are fewer. Ties at the k-th place in expectation.

    Returns: a share in [0, 1]; 0 for a single item, which has no others.

    Raises: MetricError for arrays that do not fit, or NaN or infinite embeddings; ConfigError for a k below 1.

    Example:
        >>> precision([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], [0, 0, 1, 1], k=1)
        1.0
    """
    vectors, right = floats(embeddings, "embeddings", "(n, E)"), whole(labels, "labels", "(n,)", "(n, C)")
    if len(vectors) != len(right):
        raise MetricError(
            f"embeddings has shape {vectors.shape}, labels {right.shape}; they must be of the same items."
        )
    predictions = Predictions(None, right, multi_label=right.ndim == 2, embeddings={"image": vectors})
    return measure("precision", predictions, k=k)[f"i2i/precision@{k}"]


def _ranked(
    metric: str, similarity: ArrayLike, relevant: ArrayLike, *, name: str = "relevant", **options: Any
) -> float:
    (value,) = measure(metric, _matrix(similarity, relevant, name), **options).values()
    return value


def _matrix(similarity: ArrayLike, relevant: ArrayLike, name: str, *, both: bool = False) -> MatrixPredictions:
    scores, right = floats(similarity, "similarity", "(Q, G)"), whole(relevant, name, "(Q, G)")
    same_shape(scores, "similarity", right, name)
    return MatrixPredictions(right, pairs=scores, both=both)
