"""Area under the ROC curve."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from vsebench.errors import MetricError
from vsebench.metrics.average_precision import binary_targets
from vsebench.metrics.base import Predictions
from vsebench.registry import METRICS


@METRICS.register(
    "auroc", source="Fawcett 2006; scikit-learn roc_auc_score", version=1, higher_is_better=True, needs=("logits",)
)
def auroc(predictions: Predictions) -> dict[str, float]:
    """Average over classes the chance that a positive item outranks a negative one.

        AUROC_c = P(p_ic > p_jc) + P(p_ic = p_jc) / 2 for positive i, negative j; macro, one against the rest

    Args:
        predictions: of one split (wired).

    Shape: logits (n, C), labels -> {"auroc": in [0, 1]}

    Raises: MetricError when no class has both positive and negative items.

    Example:
        >>> import numpy as np
        >>> p = Predictions(np.array([[2.0, 0, 0], [0, 1, 0], [0, 0, 1]]), np.array([0, 1, 1]))
        >>> auroc(p)
        {'auroc': 1.0}
    """
    target = binary_targets(predictions)
    kept = target.any(0) & ~target.all(0)
    if not kept.any():
        raise MetricError("'auroc' needs a class with positive and negative items.")
    values = [roc_auc_score(target[:, c], predictions.probabilities[:, c]) for c in np.flatnonzero(kept)]
    return {"auroc": float(np.mean(values))}
