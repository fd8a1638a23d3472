"""Negative log-likelihood."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from vsebench.metrics.base import Predictions
from vsebench.registry import METRICS


@METRICS.register("nll", source="standard", version=1, higher_is_better=False, needs=("logits",))
def nll(predictions: Predictions) -> dict[str, float]:
    """Average the surprise at the right labels.

        NLL = -(1/n) Σ_i ln p_i,y_i; multi-label: mean binary cross entropy over items and classes

    Args:
        predictions: of one split (wired).

    Shape: logits (n, C), labels -> {"nll": nats, >= 0}

    Example:
        >>> import numpy as np
        >>> round(nll(Predictions(np.zeros((2, 4)), np.array([0, 1])))["nll"], 4)
        1.3863
    """
    logits = predictions.scored.astype(np.float64)
    if predictions.multi_label:
        labels = predictions.labels
        values = np.logaddexp(0, logits) - labels * logits
    else:
        values = logsumexp(logits, axis=1) - logits[np.arange(len(logits)), predictions.labels]
    return {"nll": float(values.mean())}
