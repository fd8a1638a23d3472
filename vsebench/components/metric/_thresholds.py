"""The threshold on logits that makes F1 largest, found exactly in one pass over all of them."""

from __future__ import annotations

import numpy as np

#: Numbers that differ by the rounding of sums are equally good.
ROUNDING = 1e-12


def best_micro(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the threshold with the largest F1 over all pairs of an item and a class.

    Shape: float64 (n, C), bool (n, C)

    Example:
        >>> best_micro(np.array([[3.0, 1.0], [-1.0, -2.0]]), np.array([[True, True], [False, False]]))
        0.0
    """
    order = np.argsort(-logits, axis=None, kind="stable")
    right = labels.ravel()[order]
    predicted = np.arange(1, len(order) + 1)
    return _best(logits.ravel()[order], 2 * np.cumsum(right) / (predicted + right.sum()))


def best_macro(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the threshold with the largest mean F1 over the classes that occur or are predicted.

    Each pair of an item and a class that is predicted next changes the F1 of its own class alone.

    Shape: float64 (n, C), bool (n, C)
    """
    items, classes = logits.shape
    change, first = np.empty_like(logits), np.zeros(logits.shape)
    for c in range(classes):
        current = np.argsort(-logits[:, c], kind="stable")
        value = 2 * np.cumsum(labels[current, c]) / (np.arange(1, items + 1) + labels[:, c].sum())
        change[current, c] = np.diff(value, prepend=0.0)
        first[current[0], c] = not labels[
            :, c
        ].any()  # from its first prediction on, a class that does not occur counts
    order = np.argsort(-logits, axis=None, kind="stable")
    counted = np.count_nonzero(labels.any(0)) + np.cumsum(first.ravel()[order])
    return _best(logits.ravel()[order], np.cumsum(change.ravel()[order]) / np.maximum(counted, 1))


def _best(falling: np.ndarray, values: np.ndarray) -> float:
    """Return the threshold between the last logit of the best head of a list and the next one.

    Args:
        falling: float64 (P,), logits in falling order.
        values: float64 (P,), what predicting the first 1 … P pairs scores.
    """
    last = np.append(falling[:-1] != falling[1:], True)  # pairs of one logit are predicted together
    low = np.append(falling[1:], falling[-1])[last]
    high, values = falling[last], values[last]
    halfway = low / 2 + high / 2
    thresholds = np.where(halfway > low, halfway, high)  # between neighbouring floats there is nothing
    thresholds[-1] = min(0.0, high[-1])  # everything is predicted
    good = thresholds[values >= values.max() - ROUNDING]
    return float(good[np.argmin(np.abs(good))])
