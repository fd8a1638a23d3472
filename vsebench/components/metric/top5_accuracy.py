"""Top-5 accuracy."""

from __future__ import annotations

import numpy as np

from vsebench.components.metric._resampled import Drawn
from vsebench.components.metric.accuracy import correct
from vsebench.components.metric.base import Predictions
from vsebench.core.display import share
from vsebench.core.errors import MetricError
from vsebench.core.registry import METRICS


@METRICS.register(
    "top5_accuracy",
    source="Russakovsky et al. 2015, arXiv:1409.0575",
    version=1,
    higher_is_better=True,
    shows=share("top-5 accuracy"),
    needs=("logits",),
    resample=lambda predictions, counts: {"top5_accuracy": Drawn(counts).mean_of(correct(predictions, 5))},
)
def top5_accuracy(predictions: Predictions) -> dict[str, float]:
    """Count the items whose class is among the five most probable.

        top5 = (1/n) Σ_i [rank of y_i <= 5], ties in expectation

    Args:
        predictions: of one split (wired).

    Shape: logits (n, C), labels (n,) -> {"top5_accuracy": share in [0, 1]}

    Raises: MetricError for multi-label data, or for five classes and fewer.

    Example:
        >>> import numpy as np
        >>> top5_accuracy(Predictions(np.eye(6)[[0, 1]], np.array([0, 1])))
        {'top5_accuracy': 1.0}
    """
    predictions.require_single_label("top5_accuracy")
    if predictions.num_classes <= 5:
        raise MetricError(f"'top5_accuracy' of {predictions.num_classes} classes is always 1; leave it out.")
    return {"top5_accuracy": float(np.mean(correct(predictions, 5)))}
