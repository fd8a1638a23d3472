"""Sigmoid loss of SigLIP."""

from __future__ import annotations

import math
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Gt
from torch import Tensor, nn

from vsebench.components.objective._pairs import negatives_of, scores_of
from vsebench.components.objective.base import Objective
from vsebench.core.registry import OBJECTIVES
from vsebench.core.types import Batch, Output


@OBJECTIVES.register(
    "siglip",
    source="Zhai et al. 2023, arXiv:2303.15343, section 3.2",
    needs=("image", "text"),
    needs_labels=False,
    takes_scores=True,
)
class SigLIP(Objective):
    """Decide of every image and text alone whether they belong together.

        L = -1/B Σ_i Σ_j log σ(z_ij (exp(t') s_ij + b)),  s the cosine, z_ij = 1 if i = j, otherwise -1

    t' and b are trained. Without the softmax, no pair's term depends on the other pairs.

    Differs from the source: pairs of two items of one group are left out (``mask_same_group: false`` is theirs).

    Args:
        scale: exp(t') at the start, > 0.
        bias: b at the start; negative, since all pairs but one in B are negatives.
        mask_same_group: whether items of one group are kept from being negatives of each other.

    Shape: Output.embeddings image and text (B, E) -> {"siglip": scalar}.

    Example:
        >>> SigLIP(bias=-5.0).bias.item()
        -5.0
    """

    def __init__(
        self, *, scale: Annotated[float, Gt(0)] = 10.0, bias: float = -10.0, mask_same_group: bool = True
    ) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.bias = nn.Parameter(torch.tensor(float(bias)))
        self.mask_same_group = mask_same_group

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss."""
        logits = self.log_scale.exp() * scores_of(output, normalize=True) + self.bias  # (B, B)
        costs = F.softplus(logits).masked_fill(~negatives_of(batch, self.mask_same_group), 0.0)
        return {"siglip": (F.softplus(-logits.diagonal()) + costs.sum(1)).mean()}
