"""InfoNCE."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Gt
from torch import Tensor

from vsebench.components.objective._pairs import LogitScale, contrast, negatives_of, scores_of
from vsebench.components.objective.base import Objective
from vsebench.core.registry import OBJECTIVES
from vsebench.core.types import Batch, Output

Direction = Literal["mean", "sum", "i2t", "t2i"]


@OBJECTIVES.register(
    "info_nce",
    source="van den Oord et al. 2018, arXiv:1807.03748, as in CLIP, Radford et al. 2021, arXiv:2103.00020; decoupled: "
    "Yeh et al. 2022, arXiv:2110.06848; methods 5",
    needs=("image", "text"),
    needs_labels=False,
    takes_scores=True,
)
class InfoNCE(Objective):
    """Pick each image's text among all texts of the batch, and each text's image among all images.

        i2t = mean_i (log Σ_j exp(s_ij / τ) - s_ii / τ),  j over i and its negatives, s the cosine
        t2i = the same with the roles exchanged
        L   = (i2t + t2i) / 2

    With ``positive_in_denominator: false``, j runs over the negatives only: the decoupled contrastive loss, which has
    no lower bound.

    Runs over several processes (``--processes-per-run``) contrast the whole batch, not each process's share of it.

    Differs from CLIP: items of one group are not negatives of each other (``mask_same_group: false`` is theirs).

    Args:
        temperature: τ > 0, where it starts if it is learned.
        learn_temperature: whether log(1/τ) is trained; 1/τ is then held at 100 or below.
        direction: ``mean`` or ``sum`` of both directions, ``i2t`` or ``t2i`` alone.
        positive_in_denominator: whether the pair itself is in the sum over j.
        mask_same_group: whether items of one group are kept from being negatives of each other.

    Shape: Output.embeddings image and text (B, E) -> {"info_nce": scalar}. Anchors without negatives count as 0.

    Example:
        >>> float(InfoNCE(temperature=0.5, learn_temperature=False).scale())
        2.0
    """

    def __init__(
        self,
        *,
        temperature: Annotated[float, Gt(0)] = 0.07,
        learn_temperature: bool = True,
        direction: Direction = "mean",
        positive_in_denominator: bool = True,
        mask_same_group: bool = True,
    ) -> None:
        super().__init__()
        self.scale = LogitScale(temperature, learn_temperature)
        self.direction, self.positive_in_denominator = direction, positive_in_denominator
        self.mask_same_group = mask_same_group

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss."""
        scores = scores_of(output, normalize=True)
        sides = {"i2t": scores, "t2i": scores.T}
        if self.direction in sides:
            sides = {self.direction: sides[self.direction]}
        negatives = negatives_of(batch, self.mask_same_group)
        targets = torch.arange(len(batch), device=batch.positions.device)
        scale = self.scale()
        costs = [
            contrast(scale * scores, targets, negatives, with_positive=self.positive_in_denominator).mean()
            for scores in sides.values()
        ]
        total = torch.stack(costs).sum()
        return {"info_nce": total / 2 if self.direction == "mean" else total}
