"""Supervised contrastive loss."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor

from vsebench.components.objective._pairs import image_and_text, negatives_of
from vsebench.components.objective.base import Objective
from vsebench.components.objective.cosine_alignment import shares_label
from vsebench.core.registry import OBJECTIVES
from vsebench.core.types import Batch, Output


@OBJECTIVES.register(
    "supcon",
    source="Khosla et al. 2020, arXiv:2004.11362, equation 2 (L_out); methods 5",
    needs=("image", "text"),
    needs_labels=True,
)
class SupCon(Objective):
    """Bring all vectors of a label together, of both modalities, and keep the other labels' apart.

        z = [v_1 … v_B, t_1 … t_B] of unit length, P(i) those that share i's label, without i
        L = 1/2B Σ_i -1/|P(i)| Σ_{p∈P(i)} log exp(z_i·z_p / τ) / Σ_{j≠i} exp(z_i·z_j / τ)

    Multi-label items are positives if they share at least one label. An image and its own text always are.

    Differs from the source: the two views are an image and its text, and other items of one group that share no label
    are left out of the sum over j (``mask_same_group: false`` is theirs).

    Args:
        temperature: τ > 0.
        mask_same_group: whether items of one group are kept from being negatives of each other.

    Shape: Output.embeddings image and text (B, E), Batch.labels (B,) or (B, K) -> {"supcon": scalar}. One item costs 0.

    Example:
        >>> SupCon(temperature=0.07).temperature
        0.07
    """

    def __init__(self, *, temperature: Annotated[float, Gt(0)] = 0.1, mask_same_group: bool = True) -> None:
        super().__init__()
        self.temperature, self.mask_same_group = temperature, mask_same_group

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss."""
        both = torch.cat(image_and_text(output, normalize=True))  # (2B, E)
        itself = torch.eye(len(both), dtype=torch.bool, device=both.device)
        # An item drawn twice is itself, whatever its labels say.
        same = shares_label(batch.labels) | (batch.positions[:, None] == batch.positions[None, :])
        positives = same.repeat(2, 2) & ~itself
        others = (same | negatives_of(batch, self.mask_same_group)).repeat(2, 2) & ~itself
        scores = both @ both.T / self.temperature
        total = scores.masked_fill(~others, torch.finfo(scores.dtype).min).logsumexp(1, keepdim=True)
        costs = (total - scores).masked_fill(~positives, 0.0).sum(1) / positives.sum(1)
        return {"supcon": costs.mean()}
