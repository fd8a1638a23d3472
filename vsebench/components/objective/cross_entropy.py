"""Cross entropy."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from annotated_types import Ge, Lt
from torch import Tensor

from vsebench.components.objective.base import Objective
from vsebench.core.registry import OBJECTIVES
from vsebench.core.types import Batch, Output


def classification_loss(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Cross entropy of class numbers, or binary cross entropy of a 0/1 matrix, in float32, averaged."""
    logits = logits.float()
    if labels.ndim > 1:
        return F.binary_cross_entropy_with_logits(logits, labels.float() * (1 - smoothing) + smoothing / 2)
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


@OBJECTIVES.register(
    "cross_entropy",
    source="standard; label smoothing: Szegedy et al. 2016, arXiv:1512.00567",
    needs_logits=True,
)
class CrossEntropy(Objective):
    """Classify the item from its logits.

        L = -Σ_c q_c log softmax(logits)_c,  q = (1 - ε) onehot(y) + ε / C
        multi-label: binary cross entropy per class, targets (1 - ε) y + ε / 2, averaged over classes

    Args:
        label_smoothing: ε in [0, 1).

    Shape: Output.logits (B, C), Batch.labels (B,) or (B, C) -> {"cross_entropy": scalar}.

    Example:
        >>> CrossEntropy(label_smoothing=0.1).label_smoothing
        0.1
    """

    def __init__(self, *, label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss."""
        if output.logits is None:
            raise ValueError("objective 'cross_entropy' needs logits")
        return {"cross_entropy": classification_loss(output.logits, batch.labels, self.label_smoothing)}
