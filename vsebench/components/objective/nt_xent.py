"""NT-Xent, the contrastive loss of SimCLR."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Gt
from torch import Tensor

from vsebench.components.objective._pairs import contrast, image_and_text, negatives_of
from vsebench.components.objective.base import Objective
from vsebench.core.registry import OBJECTIVES
from vsebench.core.types import Batch, Output


@OBJECTIVES.register(
    "nt_xent",
    source="SimCLR, Chen et al. 2020, arXiv:2002.05709, equation 1; methods 5",
    needs=("image", "text"),
    needs_labels=False,
)
class NTXent(Objective):
    """Pick each vector's partner among all other vectors of the batch, of both modalities.

        z = [v_1 … v_B, t_1 … t_B] of unit length, p(i) the partner of i
        L = 1/2B Σ_i -log exp(z_i·z_p(i) / τ) / Σ_{j≠i} exp(z_i·z_j / τ)

    ``negatives: cross``: each image picks among the texts only, which is InfoNCE from image to text.

    Differs from SimCLR: the two views are an image and its text, and other items of one group are left out of the sum
    over j (``mask_same_group: false`` is theirs).

    Args:
        temperature: τ > 0.
        negatives: ``both`` modalities or ``cross``.
        mask_same_group: whether items of one group are kept from being negatives of each other.

    Shape: Output.embeddings image and text (B, E) -> {"nt_xent": scalar}. Without negatives it is 0.

    Example:
        >>> NTXent(temperature=0.5).negatives
        'both'
    """

    def __init__(
        self,
        *,
        temperature: Annotated[float, Gt(0)] = 0.07,
        negatives: Literal["both", "cross"] = "both",
        mask_same_group: bool = True,
    ) -> None:
        super().__init__()
        self.temperature, self.negatives, self.mask_same_group = temperature, negatives, mask_same_group

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss."""
        image, text = image_and_text(output, normalize=True)
        negatives = negatives_of(batch, self.mask_same_group)
        rows = torch.arange(len(batch), device=image.device)
        if self.negatives == "cross":
            costs = contrast(image @ text.T / self.temperature, rows, negatives)
        else:
            both = torch.cat([image, text])  # (2B, E)
            partner = torch.cat([rows + len(batch), rows])
            costs = contrast(both @ both.T / self.temperature, partner, negatives.repeat(2, 2))
        return {"nt_xent": costs.mean()}
