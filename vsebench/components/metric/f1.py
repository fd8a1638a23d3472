"""F1."""

from __future__ import annotations

import numpy as np

from vsebench.components.metric._classes import binary_targets, left_out, most_probable
from vsebench.components.metric._resampled import Drawn, mean_over_classes
from vsebench.components.metric._thresholds import best_macro, best_micro
from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.errors import MetricError
from vsebench.core.registry import METRICS

MACRO, MICRO = "f1", "f1/micro"


def tuned(validation: Predictions) -> dict[str, float]:
    """Choose the thresholds that are best on validation, one for each average; none for single-label data."""
    if not validation.multi_label:
        return {}
    logits, labels = validation.scored.astype(np.float64), validation.labels > 0
    return {MACRO: best_macro(logits, labels), MICRO: best_micro(logits, labels)}


def classes_met(predictions: Predictions) -> np.ndarray:
    """Classes that occur or are predicted, bool (C,)."""
    met: np.ndarray = (_targets(predictions) + _predicted(predictions, MACRO)).any(0)
    return met


def resampled(predictions: Predictions, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the metric of resampled items, at the thresholds of all; over the classes that a sample meets."""
    drawn, target, results = Drawn(counts), _targets(predictions), []
    for average in (MACRO, MICRO):
        predicted = _predicted(predictions, average)
        results.append([drawn.class_sums(2 * target * predicted), drawn.class_sums(target + predicted)])
    (hits, sizes), (all_hits, all_sizes) = results
    macro = mean_over_classes(np.where(sizes > 0, hits / np.maximum(sizes, 1e-300), np.nan))
    return {MACRO: macro, MICRO: all_hits.sum(0) / np.maximum(all_sizes.sum(0), 1e-300)}


@METRICS.register(
    "f1",
    source="van Rijsbergen 1979; macro: scikit-learn f1_score; thresholds: Lipton et al. 2014, arXiv:1402.1892",
    version=2,
    higher_is_better=True,
    shows=share("F1"),
    needs=("logits",),
    classes=classes_met,
    tune=tuned,
    resample=resampled,
)
def f1(predictions: Predictions) -> dict[str, float]:
    """Average the F1 of the predicted classes over classes (macro), or take that of all predictions together (micro).

        F1_c     = 2 TP_c / (2 TP_c + FP_c + FN_c)
        f1       = mean of F1_c over the classes that occur or are predicted, as scikit-learn has it
        f1/micro = 2 Σ TP_c / Σ (2 TP_c + FP_c + FN_c)

    Classes that neither occur nor are predicted are left out; ``skipped`` is their number. An item whose most probable
    classes tie is predicted as each of them in equal shares.

    Multi-label: classes with a logit of at least a threshold are predicted. A threshold is common to all classes, one
    for ``f1`` and one for ``f1/micro``: each is the best of the validation split and is kept for test. They are given
    beside the numbers, in units of logits (0 is a probability of one half), and are 0 where none were tuned. Halfway
    between two logits of validation, and of equally good ones the nearest to 0.

    Args:
        predictions: of one split (wired).

    Shape: logits (n, C), labels -> {"f1": macro, "f1/micro"}, in [0, 1]; multi-label also {"f1/threshold",
    "f1/micro/threshold"}

    Raises: MetricError when no class occurs or is predicted.

    Example:
        >>> import numpy as np
        >>> p = Predictions(np.array([[2.0, 0, 0], [0, 1, 0], [0, 0, 1]]), np.array([0, 1, 1]))
        >>> round(f1(p)["f1"], 4)
        0.5556
    """
    over = classes_met(predictions)
    if not over.any():
        raise MetricError("'f1' needs a class that occurs or is predicted.")
    hits, sizes = _counts(predictions, MACRO)
    result = {MACRO: float(np.mean(2 * hits[over] / sizes[over]))}
    hits, sizes = _counts(predictions, MICRO)
    result[MICRO] = float(2 * hits.sum() / sizes.sum()) if sizes.any() else 0.0
    if predictions.multi_label:
        result |= {f"{average}/threshold": predictions.thresholds.get(average, 0.0) for average in (MACRO, MICRO)}
    return {**result, **left_out("f1", over)}


def _counts(predictions: Predictions, average: str) -> tuple[np.ndarray, np.ndarray]:
    """TP and 2 TP + FP + FN of each class, float64 (C,): the latter are the items that have it, and those predicted."""
    target, predicted = _targets(predictions), _predicted(predictions, average)
    return (target * predicted).sum(0), target.sum(0) + predicted.sum(0)


def _targets(predictions: Predictions) -> np.ndarray:
    return binary_targets(predictions.labels, predictions.num_classes).astype(np.float64)


def _predicted(predictions: Predictions, average: str) -> np.ndarray:
    """Return which classes are predicted of each item, float64 (n, C) in [0, 1]."""
    if predictions.multi_label:
        threshold = predictions.thresholds.get(average, 0.0)
        return (predictions.scored.astype(np.float64) >= threshold).astype(np.float64)
    return most_probable(predictions.scored)
