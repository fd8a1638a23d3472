"""F1."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import f1_score

from vsebench.metrics.average_precision import binary_targets
from vsebench.metrics.base import Predictions
from vsebench.registry import METRICS


@METRICS.register(
    "f1", source="van Rijsbergen 1979; scikit-learn f1_score", version=1, higher_is_better=True, needs=("logits",)
)
def f1(predictions: Predictions) -> dict[str, float]:
    """Average the F1 of the predicted classes over classes (macro).

        F1_c = 2 TP_c / (2 TP_c + FP_c + FN_c), 0 where it is 0/0; multi-label: threshold 0.5

    Args:
        predictions: of one split (wired).

    Shape: logits (n, C), labels -> {"f1": macro, "f1/micro"}, in [0, 1]

    Example:
        >>> import numpy as np
        >>> p = Predictions(np.array([[2.0, 0, 0], [0, 1, 0], [0, 0, 1]]), np.array([0, 1, 1]))
        >>> round(f1(p)["f1"], 4)
        0.5556
    """
    target = binary_targets(predictions)
    if predictions.multi_label:
        said = (predictions.probabilities >= 0.5).astype(np.int64)
    else:
        said = np.eye(predictions.num_classes, dtype=np.int64)[predictions.scored.argmax(1)]
    return {
        "f1": float(f1_score(target, said, average="macro", zero_division=0)),
        "f1/micro": float(f1_score(target, said, average="micro", zero_division=0)),
    }
