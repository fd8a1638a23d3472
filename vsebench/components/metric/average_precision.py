"""Average precision."""

from __future__ import annotations

import numpy as np

from vsebench.components.metric._classes import binary_targets, left_out
from vsebench.components.metric._resampled import Drawn, Ranking, class_rankings, mean_over_classes
from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.errors import MetricError
from vsebench.core.registry import METRICS


def classes_with_positives(predictions: Predictions) -> np.ndarray:
    """Classes with a positive item, bool (C,)."""
    return np.asarray(binary_targets(predictions.labels, predictions.num_classes).any(0))


def resampled(predictions: Predictions, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the metric of resampled items; a class that a sample lacks is left out of its macro mean."""
    target, ranks = binary_targets(predictions.labels, predictions.num_classes), predictions.class_ranks
    drawn, items = Drawn(counts), np.repeat(np.arange(len(target)), target.shape[1])
    of_class = np.stack([ranking.average_precision(drawn) for ranking in class_rankings(predictions, target)])
    result = {
        "average_precision": mean_over_classes(of_class),
        "average_precision/micro": Ranking.sort(ranks.ravel(), target.ravel() > 0, items).average_precision(drawn),
        "average_precision/weighted": mean_over_classes(of_class, drawn.class_sums(target)),
    }
    if predictions.multi_label:
        some = target.any(1)
        result["average_precision/samples"] = Drawn(counts[some]).mean_of(_samples(target, ranks))
    return result


@METRICS.register(
    "average_precision",
    source="Manning et al. 2008, IR book, ch. 8; scikit-learn average_precision_score",
    version=2,
    higher_is_better=True,
    shows=share("AP"),
    needs=("logits",),
    classes=classes_with_positives,
    resample=resampled,
)
def average_precision(predictions: Predictions) -> dict[str, float]:
    """Summarise the precision-recall curve of every class, step-wise and exact, over the whole split.

        AP_c = Σ_n (R_n - R_{n-1}) P_n over distinct thresholds; macro: mean over classes with a positive item;
        micro: all (item, class) pairs as one ranking; weighted: by number of positives;
        samples: the classes of an item as its ranking, mean over items with a label

    All rankings are by the odds of the class, not by probabilities, which round to 0 or 1 and tie. Classes without a
    positive item are left out of the macro mean; ``skipped`` is their number.

    Args:
        predictions: of one split (wired).

    Shape: logits (n, C), labels -> {"average_precision" (macro), "…/micro", "…/weighted", multi-label also "…/samples"}

    Raises: MetricError without any positive label.

    Example:
        >>> import numpy as np
        >>> p = Predictions(np.array([[2.0, 0], [0, 1], [0, 1]]), np.array([0, 1, 1]))
        >>> round(average_precision(p)["average_precision"], 4)
        1.0
    """
    over = classes_with_positives(predictions)
    if not over.any():
        raise MetricError("'average_precision' needs at least one positive label.")
    target, ranks = binary_targets(predictions.labels, predictions.num_classes), predictions.class_ranks
    per_class = np.array([_of_list(target[:, c], ranks[:, c]) for c in np.flatnonzero(over)])
    result = {
        "average_precision": float(per_class.mean()),
        "average_precision/micro": _of_list(target.ravel(), ranks.ravel()),
        "average_precision/weighted": float(np.average(per_class, weights=target.sum(0)[over])),
    }
    if predictions.multi_label:
        result["average_precision/samples"] = float(_samples(target, ranks).mean())
    return {**result, **left_out("average_precision", over)}


def _of_list(target: np.ndarray, ranks: np.ndarray) -> float:
    """Average precision of one ranking with a positive entry. The sum is scikit-learn's to the last bit, which takes a
    millisecond each to check what it is given. Shape: int (n,), (n,)"""
    order = np.argsort(-ranks, kind="stable")
    last = np.append(np.flatnonzero(np.diff(ranks[order])), len(order) - 1)  # of each group of ties
    hits = target[order].cumsum()[last].astype(np.float64)
    steps = np.diff(hits / hits[-1], prepend=0.0) * (hits / (last + 1))
    return float(steps[::-1].copy().sum())  # lowest scores first


def _samples(target: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Average precision of the classes of each item with a label, all items at once: scikit-learn does
    them one by one, a millisecond each."""
    some = target.any(1)
    order = np.argsort(-ranks[some], axis=1)
    ranks, target = (np.take_along_axis(values[some], order, axis=1) for values in (ranks, target))
    count = target.shape[1]
    last = np.append(ranks[:, 1:] != ranks[:, :-1], np.ones((len(ranks), 1), bool), axis=1)  # of its group of ties
    end = np.minimum.accumulate(np.where(last, np.arange(count), count)[:, ::-1], axis=1)[:, ::-1]
    precision = np.take_along_axis(target.cumsum(1), end, axis=1) / (end + 1)
    result: np.ndarray = (target * precision).sum(1) / target.sum(1)
    return result
