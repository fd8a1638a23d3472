"""Metrics of classification: scores of items and classes against labels.

``logits`` are unnormalised scores (n, C): a softmax over them, or a sigmoid for multi-label data, gives probabilities.
``labels`` are class numbers (n,), or 0/1 (n, C) for multi-label data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vsebench.components.metric._answers import Answers
from vsebench.components.metric.base import Predictions
from vsebench.core.errors import MetricError
from vsebench.metrics._arrays import floats, measure, of_average, same_shape, whole


def accuracy(logits: ArrayLike, labels: ArrayLike) -> float:
    """Compute the share of items whose most probable class is right (micro).

    A right class that ties with others counts 1 / (number of tied classes).

    Args:
        logits: float (n, C).
        labels: int (n,), class numbers.

    Returns: a share in [0, 1].

    Raises: MetricError for arrays that do not fit, multi-label data, NaN or infinite logits.

    Example:
        >>> accuracy([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [0, 1, 1]) * 3
        2.0
    """
    return measure("accuracy", _classified(logits, labels, "(n,)"))["accuracy"]


def balanced_accuracy(logits: ArrayLike, labels: ArrayLike) -> float:
    """Compute the mean over classes of the share of their items that are right (macro recall).

    Classes without an item are left out.

    Args:
        logits: float (n, C).
        labels: int (n,), class numbers.

    Returns: a share in [0, 1].

    Raises: MetricError as :func:`accuracy`.

    Example:
        >>> balanced_accuracy([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [0, 1, 1])
        0.75
    """
    return measure("balanced_accuracy", _classified(logits, labels, "(n,)"))["balanced_accuracy"]


def top5_accuracy(logits: ArrayLike, labels: ArrayLike) -> float:
    """Compute the share of items whose class is among the five most probable; ties in expectation.

    Args:
        logits: float (n, C), C > 5.
        labels: int (n,), class numbers.

    Returns: a share in [0, 1].

    Raises: MetricError as :func:`accuracy`, and for five classes or fewer.

    Example:
        >>> top5_accuracy(np.eye(6)[[0, 1]], [0, 1])
        1.0
    """
    return measure("top5_accuracy", _classified(logits, labels, "(n,)"))["top5_accuracy"]


def average_precision(scores: ArrayLike, labels: ArrayLike, *, average: str = "macro") -> float:
    """Compute the area under the precision-recall curve of the classes, step-wise and exact.

        AP_c = Σ_n (R_n - R_{n-1}) P_n over distinct thresholds

    Class numbers rank the items of a class by the odds of its softmax; 0/1 labels by the scores themselves. Items of
    equal scores are one threshold.

    Args:
        scores: float (n, C), logits; or (n,) for one class.
        labels: int (n,), class numbers; or 0/1 of the scores' shape.
        average: ``macro`` (mean over classes with a positive item), ``micro`` (all pairs of an item and a class as one
            ranking), ``weighted`` (by number of positives) or, for 0/1 labels, ``samples`` (mean over items).

    Returns: an average precision in [0, 1].

    Raises: MetricError for arrays that do not fit, without any positive label, or for another average.

    Example:
        >>> round(average_precision([0.9, 0.8, 0.3], [1, 0, 1]), 4)
        0.8333
    """
    values = measure("average_precision", _scored(scores, labels))
    return of_average(values, "average_precision", average)


def auroc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Compute the chance that a positive item outranks a negative one, averaged over classes; a tie counts one half.

    Classes without positive or without negative items are left out.

    Args:
        scores: float (n, C), logits; or (n,) for one class.
        labels: int (n,), class numbers; or 0/1 of the scores' shape.

    Returns: an area in [0, 1].

    Raises: MetricError for arrays that do not fit, or when no class has both positive and negative items.

    Example:
        >>> auroc([0.9, 0.8, 0.3], [1, 0, 1])
        0.5
    """
    return measure("auroc", _scored(scores, labels))["auroc"]


def f1(logits: ArrayLike, labels: ArrayLike, *, average: str = "macro", threshold: float = 0.0) -> float:
    """Compute the F1 of the predicted classes.

    Of class numbers, the most probable class is predicted, tied ones in equal shares; of 0/1 labels, every class whose
    logit is at least ``threshold``.

    Args:
        logits: float (n, C).
        labels: int (n,), class numbers; or 0/1 (n, C).
        average: ``macro`` (mean over the classes that occur or are predicted) or ``micro``.
        threshold: of logits, for 0/1 labels; 0 is a probability of one half.

    Returns: an F1 in [0, 1].

    Raises: MetricError for arrays that do not fit, or when no class occurs or is predicted.

    Example:
        >>> round(f1([[2.0, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 1, 1]), 4)
        0.5556
    """
    predictions = _classified(logits, labels, "(n,)", "(n, C)", thresholds={"f1": threshold, "f1/micro": threshold})
    return of_average(measure("f1", predictions), "f1", average)


def nll(logits: ArrayLike, labels: ArrayLike) -> float:
    """Compute the mean negative log-likelihood of the labels: cross entropy, or binary cross entropy of 0/1 labels.

    Args:
        logits: float (n, C).
        labels: int (n,), class numbers; or 0/1 (n, C).

    Returns: nats, from 0.

    Raises: MetricError for arrays that do not fit.

    Example:
        >>> round(nll(np.zeros((2, 4)), [0, 1]), 4)
        1.3863
    """
    return measure("nll", _classified(logits, labels, "(n,)", "(n, C)"))["nll"]


def brier(logits: ArrayLike, labels: ArrayLike) -> float:
    """Compute the Brier score: the squared distance of the probabilities from the labels, averaged over items.

    It is summed over the classes of class numbers, and averaged over those of 0/1 labels.

    Args:
        logits: float (n, C).
        labels: int (n,), class numbers; or 0/1 (n, C).

    Returns: a score in [0, 2]; in [0, 1] of 0/1 labels.

    Raises: MetricError for arrays that do not fit.

    Example:
        >>> brier(np.zeros((2, 4)), [0, 1])
        0.75
    """
    return measure("brier", _classified(logits, labels, "(n,)", "(n, C)"))["brier"]


def ece(logits: ArrayLike, labels: ArrayLike, *, bins: int = 15) -> float:
    """Compute the expected calibration error over bins that hold equally many items.

    Items of equal confidence share their hits.

    Args:
        logits: float (n, C).
        labels: int (n,), class numbers.
        bins: number of bins, from 1.

    Returns: a difference in [0, 1].

    Raises: MetricError for arrays that do not fit; ConfigError for fewer than one bin.

    Example:
        >>> ece(np.zeros((4, 2)), [0, 1, 0, 1])
        0.0
    """
    return measure("ece", _classified(logits, labels, "(n,)"), bins=bins)["ece"]


def vqa_accuracy(logits: ArrayLike, answers: ArrayLike, *, annotators: ArrayLike = 10) -> float:
    """Compute the soft accuracy of answers to visual questions; tied classes in expectation.

        soft(a) = mean over the subsets that leave one annotator out of min(number who gave a / 3, 1)

    Args:
        logits: float (n, C), of the answers that are classes.
        answers: int (n, C), how many annotators gave each of them.
        annotators: how many there were, a number or int (n,), those included whose answer is no class; 2 or more.

    Returns: a share in [0, 1].

    Raises: MetricError for arrays that do not fit, fewer than two annotators, or more answers than annotators.

    Example:
        >>> round(vqa_accuracy([[1.0, 0.0], [0.0, 1.0]], [[1, 9], [2, 8]]), 4)
        0.65
    """
    scores, counts = floats(logits, "logits", "(n, C)"), whole(answers, "answers", "(n, C)")
    same_shape(scores, "logits", counts, "answers")
    given = np.broadcast_to(np.asarray(annotators), len(counts)).astype(np.int64)
    many = np.flatnonzero(counts.sum(1) > given)
    if len(many):
        item = many[0]
        raise MetricError(f"item {item} has {counts[item].sum()} answers of {given[item]} annotators.")
    item, label = np.nonzero(counts)
    gathered = Answers(item, label, counts[item, label], given)
    return measure("vqa_accuracy", Predictions(scores, counts.argmax(1), answers=gathered))["vqa_accuracy"]


def _scored(scores: ArrayLike, labels: ArrayLike) -> Predictions:
    """As :func:`_classified`, or scores (n,) and 0/1 labels (n,) of one class."""
    values = floats(scores, "scores", "(n,)", "(n, C)")
    if values.ndim == 2:
        return _classified(values, labels, "(n,)", "(n, C)", name="scores")
    right = whole(labels, "labels", "(n,)")
    same_shape(values, "scores", right, "labels")
    return Predictions(values[:, None], right[:, None], multi_label=True)


def _classified(
    logits: ArrayLike, labels: ArrayLike, *shapes: str, name: str = "logits", **changes: Any
) -> Predictions:
    values, right = floats(logits, name, "(n, C)"), whole(labels, "labels", *shapes)
    if right.ndim == 2:
        same_shape(values, name, right, "labels")
    elif len(values) != len(right):
        raise MetricError(f"{name} has shape {values.shape}, labels {right.shape}; they must be of the same items.")
    return Predictions(values, right, multi_label=right.ndim == 2, **changes)
