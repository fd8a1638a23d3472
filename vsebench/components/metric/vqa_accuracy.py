"""Soft accuracy of answers to visual questions."""

from __future__ import annotations

import numpy as np

from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.errors import MetricError
from vsebench.core.registry import METRICS

ENOUGH = 3  # annotators who agree make an answer right


@METRICS.register(
    "vqa_accuracy",
    source="Antol et al. 2015, arXiv:1505.00468; methods 8",
    version=1,
    higher_is_better=True,
    shows=share("VQA accuracy"),
    needs=("logits", "answers"),
)
def vqa_accuracy(predictions: Predictions) -> dict[str, float]:
    """Count an answer as right as far as annotators gave it.

        soft(a) = mean over the n subsets that leave one annotator out of min(number who gave a / 3, 1)
                = [h · min((h - 1)/3, 1) + (n - h) · min(h/3, 1)] / n,      h of the n annotators gave a

    of the most probable class; tied classes in expectation. With n = 10, h = 0, 1, 2, 3, 4 give 0, 0.3, 0.6, 0.9, 1. A
    class that nobody gave is wrong. ``accuracy`` is the binary one, against the most frequent answer.

    Args:
        predictions: of one split, with answers (wired).

    Shape: logits (n, C) -> {"vqa_accuracy": share in [0, 1]}

    Raises: MetricError for data without annotators' answers, or with an item that has fewer than two, of which no
    subset can be made.

    Example:
        >>> from vsebench.components.metric._answers import Answers
        >>> answers = Answers.of([{"red": 9, "pink": 1}, {"red": 8, "pink": 2}], ["pink", "red"])
        >>> p = Predictions(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1, 1]), answers=answers)
        >>> round(vqa_accuracy(p)["vqa_accuracy"], 4)
        0.65
    """
    return {"vqa_accuracy": float(np.mean(item_accuracy(predictions)))}


def item_accuracy(predictions: Predictions) -> np.ndarray:
    """Return how right each answer is, float64 (n,).

    Raises: MetricError as :func:`vqa_accuracy`.
    """
    answers = predictions.answers
    if answers is None:
        raise MetricError("'vqa_accuracy' needs annotators' answers, and this dataset has none; use accuracy.")
    few = np.flatnonzero(answers.given < 2)
    if len(few):
        raise MetricError(
            f"'vqa_accuracy' leaves one annotator out, and {len(few)} items have fewer than two; the first is item "
            f"{few[0]} of the split."
        )
    logits = predictions.scored
    chosen = logits == logits.max(1, keepdims=True)
    share = chosen[answers.item, answers.label] / chosen.sum(1)[answers.item]
    right = share * soft(answers.count, answers.given[answers.item])
    return np.bincount(answers.item, right, len(logits))


def soft(given: np.ndarray, annotators: np.ndarray) -> np.ndarray:
    """Return how right an answer is that some of the annotators gave; float64.

    Example:
        >>> soft(np.array([0, 1, 2, 3, 4]), np.array([10])).round(2).tolist()
        [0.0, 0.3, 0.6, 0.9, 1.0]
    """
    without, others = np.minimum((given - 1) / ENOUGH, 1), np.minimum(given / ENOUGH, 1)
    result: np.ndarray = (given * without + (annotators - given) * others) / annotators
    return result
