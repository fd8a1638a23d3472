"""How a classifier orders items and classes, which classes an average is over, and what is predicted of each item."""

from __future__ import annotations

import numpy as np


def log_odds(logits: np.ndarray, *, multi_label: bool = False) -> np.ndarray:
    """ln(p / (1 - p)) of every probability: it rises with p, and does not saturate where p rounds to 0 or 1.

        sigmoid: z_c;   softmax: z_c - ln Σ_{j ≠ c} exp(z_j), which is infinite for a single class

    Logits that differ by a constant, or by the order of the other classes, have the same odds to the last bit.

    Shape: (n, C) -> float64 (n, C)

    Example:
        >>> log_odds(np.array([[80.0, 0.0]])).tolist()
        [[80.0, -80.0]]
    """
    values = logits.astype(np.float64)
    if multi_label:
        return values
    values -= values.max(1, keepdims=True)
    if values.shape[1] == 1:
        return np.full_like(values, np.inf)
    ordered = np.sort(values, axis=1)
    shares = np.exp(values)
    # Of any class but the most probable, the others include that one: their sum is 1 at least, and nothing cancels.
    others = np.exp(ordered).sum(1, keepdims=True) - shares
    rest = ordered[:, :-1]  # of the most probable class, the others may all be far below the smallest float
    top = rest[:, -1:] + np.log(np.exp(rest - rest[:, -1:]).sum(1, keepdims=True))
    most = values == 0
    return np.where(most, -top, values - np.log(np.where(most, 1.0, others)))


def class_ranks(logits: np.ndarray, *, multi_label: bool = False) -> np.ndarray:
    """Return the order of all probabilities of a split, as numbers within (0, 1) that libraries take for probabilities.

    The m distinct ones have r / (m + 1), r = 1 … m. Two are equal only where the probabilities are, not where they
    round to the same float.

    Shape: (n, C) -> float64 (n, C)

    Example:
        >>> class_ranks(np.array([[-45.0, -40.0], [41.0, 40.0]]), multi_label=True).tolist()
        [[0.2, 0.4], [0.8, 0.6]]
    """
    distinct, place = np.unique(log_odds(logits, multi_label=multi_label), return_inverse=True)
    return (place.reshape(logits.shape) + 1) / (len(distinct) + 1)


def binary_targets(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Zeros and ones of classes, or of several labels. Shape: (n,) or (n, C) -> int64 (n, C)"""
    if labels.ndim > 1:
        return labels.astype(np.int64)
    one_hot: np.ndarray = np.eye(num_classes, dtype=np.int64)[labels]
    return one_hot


def most_probable(logits: np.ndarray) -> np.ndarray:
    """Predict the most probable class of each item, or equal shares of the classes that tie.

    Shape: (n, C) -> float64 (n, C), rows sum to 1
    """
    top = logits == logits.max(1, keepdims=True)
    shares: np.ndarray = top / top.sum(1, keepdims=True)
    return shares


def left_out(name: str, over: np.ndarray) -> dict[str, float]:
    """Return how many classes a metric's average is not over, as a number beside it; nothing where it is over all.

    Args:
        name: of the metric.
        over: bool (C,), the classes that the average is over.
    """
    count = int(np.count_nonzero(~over))
    return {f"skipped/{name}": float(count)} if count else {}
