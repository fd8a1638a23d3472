"""Area under the ROC curve."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from vsebench.components.metric._classes import binary_targets, left_out
from vsebench.components.metric._resampled import Drawn, class_rankings, mean_over_classes
from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.errors import MetricError
from vsebench.core.registry import METRICS


def classes_with_both(predictions: Predictions) -> np.ndarray:
    """Classes with positive and negative items, bool (C,)."""
    target = binary_targets(predictions.labels, predictions.num_classes)
    return np.asarray(target.any(0) & ~target.all(0))


def resampled(predictions: Predictions, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the metric of resampled items; a class of which a sample has no pair is left out of its mean."""
    target = binary_targets(predictions.labels, predictions.num_classes)
    drawn, rankings = Drawn(counts), class_rankings(predictions, target)
    return {"auroc": mean_over_classes(np.stack([ranking.auroc(drawn) for ranking in rankings]))}


@METRICS.register(
    "auroc",
    source="Fawcett 2006; scikit-learn roc_auc_score",
    version=2,
    higher_is_better=True,
    shows=share("AUROC"),
    needs=("logits",),
    classes=classes_with_both,
    resample=resampled,
)
def auroc(predictions: Predictions) -> dict[str, float]:
    """Average over classes the chance that a positive item outranks a negative one.

        AUROC_c = P(p_ic > p_jc) + P(p_ic = p_jc) / 2 for positive i, negative j; macro, one against the rest

    Items are ranked by the odds of the class, not by probabilities, which round to 0 or 1 and tie. Classes without
    positive or without negative items are left out; ``skipped`` is their number.

    Args:
        predictions: of one split (wired).

    Shape: logits (n, C), labels -> {"auroc": in [0, 1]}

    Raises: MetricError when no class has both positive and negative items.

    Example:
        >>> import numpy as np
        >>> p = Predictions(np.array([[2.0, 0], [0, 1], [0, 1]]), np.array([0, 1, 1]))
        >>> auroc(p)
        {'auroc': 1.0}
    """
    over = classes_with_both(predictions)
    if not over.any():
        raise MetricError("'auroc' needs a class with positive and negative items.")
    target, ranks = binary_targets(predictions.labels, predictions.num_classes), predictions.class_ranks
    values = [roc_auc_score(target[:, c], ranks[:, c]) for c in np.flatnonzero(over)]
    return {"auroc": float(np.mean(values)), **left_out("auroc", over)}
