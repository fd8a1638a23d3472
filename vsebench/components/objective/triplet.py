"""Triplet ranking loss."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from vsebench.components.objective._pairs import hardest_sampled, image_and_text, negatives_of, scores_of
from vsebench.components.objective.base import Objective
from vsebench.core.registry import OBJECTIVES
from vsebench.core.types import Batch, Output

Negatives = Literal["sum", "max", "semihard", "random"]
Similarity = Literal["cosine", "dot", "order", "euclidean"]


@OBJECTIVES.register(
    "triplet",
    source="Faghri et al. 2018 (VSE++), arXiv:1707.05612; semihard: Schroff et al. 2015, arXiv:1503.03832; order: "
    "Vendrov et al. 2016, arXiv:1511.06361; methods 5",
    needs=("image", "text"),
    needs_labels=False,
    takes_scores=True,
)
class Triplet(Objective):
    """Keep each pair more similar than its image with other texts and its text with other images, by a margin.

        L = 1/B Σ_i pick_j [m - s_ii + s_ij]₊ + pick_j [m - s_ii + s_ji]₊,  j over the negatives of i

    ``pick``: ``sum`` of all; ``max``, the hardest; ``semihard``, the most similar negative with s_ij < s_ii, without
    one the least similar negative; ``random``, one drawn uniformly (in eval mode the mean over the draws).

    ``similarity``: ``cosine``; ``dot``; ``order``, -‖max(0, |t| - |v|)‖₂ of unit vectors; ``euclidean``, -‖v - t‖₂,
    which makes it the distance form max(0, d(a, p) - d(a, n) + m).

    Differs from VSE++: a mean over the batch (``reduction: sum`` is theirs), and other items of one group are neither
    positives nor negatives (``mask_same_group: false`` is theirs).

    Args:
        margin: m >= 0; 0.2 for ``cosine``, 0.05 for ``order``.
        negatives: ``sum``, ``max``, ``semihard`` or ``random``.
        similarity: ``cosine``, ``dot``, ``order`` or ``euclidean``.
        reduction: ``mean`` or ``sum`` over the B items.
        warmup_epochs: epochs with ``sum`` before ``negatives`` applies; the hardest negative from the first step on
            can collapse all embeddings to a point. >= 0, may be a fraction.
        mask_same_group: whether items of one group are kept from being negatives of each other.

    Shape: Output.embeddings image and text (B, E) -> {"triplet": scalar}. Without negatives it is 0.

    Example:
        >>> Triplet(negatives="max", warmup_epochs=1).margin
        0.2
    """

    def __init__(
        self,
        *,
        margin: Annotated[float, Ge(0)] = 0.2,
        negatives: Negatives = "sum",
        similarity: Similarity = "cosine",
        reduction: Literal["mean", "sum"] = "mean",
        warmup_epochs: Annotated[float, Ge(0)] = 0.0,
        mask_same_group: bool = True,
    ) -> None:
        super().__init__()
        self.margin, self.negatives, self.similarity, self.reduction = margin, negatives, similarity, reduction
        self.warmup_epochs, self.mask_same_group = warmup_epochs, mask_same_group
        self.epoch = 0.0

    def set_progress(self, epoch: float) -> None:
        """End the warm-up when its epochs are over."""
        self.epoch = epoch

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss."""
        scores = similarities(output, self.similarity)
        negatives = negatives_of(batch, self.mask_same_group)
        anchors = self._picked(scores, negatives) + self._picked(scores.T, negatives.T)
        return {"triplet": anchors.mean() if self.reduction == "mean" else anchors.sum()}

    def _picked(self, scores: Tensor, negatives: Tensor) -> Tensor:
        """Each anchor's cost. Shape: scores (B, B) with anchors in rows -> (B,)."""
        positive_scores = scores.diagonal()[:, None]
        hinges = (self.margin - positive_scores + scores).relu().masked_fill(~negatives, 0.0)
        if self.negatives == "sum" or self.epoch < self.warmup_epochs:
            return hinges.sum(1)
        if self.negatives == "max":
            return hinges.amax(1)
        if self.negatives == "random":
            return hardest_sampled(hinges, negatives, 1, training=self.training)
        below = negatives & (scores < positive_scores)
        hardest = scores.masked_fill(~below, -math.inf).argmax(1)
        easiest = scores.masked_fill(~negatives, math.inf).argmin(1)
        chosen = torch.where(below.any(1), hardest, easiest)
        return hinges.gather(1, chosen[:, None]).squeeze(1)


def similarities(output: Output, similarity: Similarity) -> Tensor:
    """Of every image with every text. Shape: (B, B), images in rows."""
    if output.scores is not None or similarity in ("cosine", "dot"):
        return scores_of(output, normalize=similarity == "cosine")
    image, text = image_and_text(output, normalize=similarity == "order")
    if similarity == "euclidean":
        return -torch.cdist(image, text, compute_mode="donot_use_mm_for_euclid_dist")
    above = (text.abs()[None, :, :] - image.abs()[:, None, :]).relu()  # (B, B, E)
    distances: Tensor = torch.linalg.vector_norm(above, dim=-1)
    return -distances
