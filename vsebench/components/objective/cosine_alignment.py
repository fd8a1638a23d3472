"""Cosine alignment of image and text."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from torch import Tensor

from vsebench.components.objective.base import Objective
from vsebench.core.registry import OBJECTIVES
from vsebench.core.types import Batch, Output


@OBJECTIVES.register(
    "cosine_alignment", source="VSE, sections 2 and 3.1: the stated objective; methods 6.4", needs=("image", "text")
)
class CosineAlignment(Objective):
    """Bring images and texts together that belong together, and keep others apart.

        L = mean_{(i,j) positive} (1 - cos(v_i, t_j)) + mean_{(i,j) negative} max(0, cos(v_i, t_j) - m)

    ``positives: label`` (the source): i and j share a label or a group. ``positives: group``: they are the same item or
    group; other items of the same label are then neither positive nor negative. A mean over no pairs is 0.

    Args:
        margin: m in [-1, 1].
        positives: ``label`` or ``group``.

    Shape: Output.embeddings image and text (B, E), Batch.labels -> {"cosine_alignment": scalar}.

    Example:
        >>> CosineAlignment(margin=0.1).margin
        0.1
    """

    def __init__(
        self,
        *,
        margin: Annotated[float, Ge(-1), Le(1)] = 0.2,
        positives: Literal["label", "group"] = "label",
    ) -> None:
        super().__init__()
        self.margin, self.positives = margin, positives

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss."""
        image = F.normalize(output.embeddings["image"].float(), dim=-1, eps=1e-12)
        text = F.normalize(output.embeddings["text"].float(), dim=-1, eps=1e-12)
        cosine = image @ text.T  # (B, B)
        same_group = batch.groups[:, None] == batch.groups[None, :]
        same_label = same_group | shares_label(batch.labels)
        positive = same_label if self.positives == "label" else same_group
        pull = ((1 - cosine) * positive).sum() / positive.sum().clamp(min=1)
        push = ((cosine - self.margin).relu() * ~same_label).sum() / (~same_label).sum().clamp(min=1)
        return {"cosine_alignment": pull + push}


def shares_label(labels: Tensor) -> Tensor:
    """Return which pairs share a label. Shape: (B,) numbers or (B, K) zeros and ones -> bool (B, B)."""
    if labels.ndim == 1:
        return labels[:, None] == labels[None, :]
    return torch.as_tensor(labels.float() @ labels.float().T > 0)
