"""Cross entropy of every part of a head."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Lt
from torch import Tensor

from vsebench.components.objective.base import Objective
from vsebench.components.objective.cross_entropy import classification_loss
from vsebench.core.registry import OBJECTIVES
from vsebench.core.types import Batch, Output


@OBJECTIVES.register("part_cross_entropy", source="methods 3.3: all heads get a CE term", needs_parts=True)
class PartCrossEntropy(Objective):
    """Classify the item from the logits of every classifier that a decision-level or hybrid head has.

        L_m = CE(head_m(x_m), y), averaged over the items that have modality m;  L_joint = CE(head(z), y)

    One term for each part. ``modality_cross_entropy`` trains a classifier of its own that no prediction uses; this one
    trains those that the prediction is made of.

    Args:
        label_smoothing: ε in [0, 1).

    Shape: Output.parts {part: (B, C)}, Batch.labels (B,) or (B, C) -> {"part_cross_entropy/<part>": scalar}; 0 where
    no item of the batch has the modality.

    Example:
        >>> PartCrossEntropy(label_smoothing=0.1).label_smoothing
        0.1
    """

    def __init__(self, *, label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss of every part."""
        if not output.parts:
            raise ValueError("objective 'part_cross_entropy' needs a head with parts: 'decision' or 'hybrid'")
        return {f"part_cross_entropy/{part}": self._loss(part, output, batch) for part in output.parts}

    def _loss(self, part: str, output: Output, batch: Batch) -> Tensor:
        logits, labels = output.parts[part].float(), batch.labels
        if part in output.present:
            present = output.present[part]
            logits, labels = logits[present], labels[present]
        if not len(logits):
            return logits.sum()  # a zero that has a gradient
        return classification_loss(logits, labels, self.label_smoothing)
