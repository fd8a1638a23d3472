"""Ranking loss of dual attention networks."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge
from torch import Tensor

from vsebench.components.objective._pairs import hardest_sampled, negatives_of, scores_of
from vsebench.components.objective.base import Objective
from vsebench.core.registry import OBJECTIVES
from vsebench.core.types import Batch, Output


@OBJECTIVES.register(
    "dan_ranking",
    source="m-DAN, Nam et al. 2017, arXiv:1611.00471; methods 6.3",
    needs=("image", "text"),
    needs_labels=False,
    takes_scores=True,
)
class DANRanking(Objective):
    """Keep each pair's inner product above that of sampled mismatches, by a margin on its own scale.

        L = 1/B Σ_i [m - v_i·t_i + v⁻·t_i]₊ + [m - v_i·t_i + v_i·t⁻]₊

    v⁻ and t⁻ are drawn uniformly and separately from the negatives of i; of ``samples`` draws the hardest counts. In
    eval mode L is the expectation over the draws.

    Differs from the source: negatives come from the batch, and a mean over it (``reduction: sum`` is theirs).

    Args:
        margin: m >= 0, in units of the unnormalised inner product; of cosines it would have to be near 0.2.
        samples: negatives drawn per anchor, >= 1.
        reduction: ``mean`` or ``sum`` over the B items.
        mask_same_group: whether items of one group are kept from being negatives of each other.

    Shape: Output.embeddings image and text (B, E) -> {"dan_ranking": scalar}. Without negatives it is 0.

    Example:
        >>> DANRanking(samples=32).margin
        100.0
    """

    def __init__(
        self,
        *,
        margin: Annotated[float, Ge(0)] = 100.0,
        samples: Annotated[int, Ge(1)] = 1,
        reduction: Literal["mean", "sum"] = "mean",
        mask_same_group: bool = True,
    ) -> None:
        super().__init__()
        self.margin, self.samples, self.reduction = margin, samples, reduction
        self.mask_same_group = mask_same_group

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss."""
        scores = scores_of(output, normalize=False)  # (B, B)
        negatives = negatives_of(batch, self.mask_same_group)
        anchors = self._cost(scores, negatives) + self._cost(scores.T, negatives.T)
        return {"dan_ranking": anchors.mean() if self.reduction == "mean" else anchors.sum()}

    def _cost(self, scores: Tensor, negatives: Tensor) -> Tensor:
        """Shape: (B, B) with anchors in rows -> (B,)."""
        hinges = (self.margin - scores.diagonal()[:, None] + scores).relu()
        return hardest_sampled(hinges, negatives, self.samples, training=self.training)
