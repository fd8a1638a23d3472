"""Cosine embedding loss."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le
from torch import Tensor

from vsebench.components.objective._pairs import image_and_text, negatives_of
from vsebench.components.objective.base import Objective
from vsebench.core.registry import OBJECTIVES
from vsebench.core.types import Batch, Output


@OBJECTIVES.register(
    "cosine_embedding",
    source="Hadsell et al. 2006 with the cosine, as torch.nn.CosineEmbeddingLoss",
    needs=("image", "text"),
    needs_labels=False,
)
class CosineEmbedding(Objective):
    """Pull each pair's cosine to one and push the cosine of every other image and text below a margin.

        L = 1/N (Σ_i (1 - s_ii) + Σ_{(i,j) negative} max(0, s_ij - m)),  N the number of terms

    Differs from ``cosine_alignment``: one mean over all terms, in which the B pairs weigh little beside up to
    B(B - 1) negatives, and no labels.

    Args:
        margin: m in [-1, 1].
        reduction: ``mean`` or ``sum`` over the N terms.
        mask_same_group: whether items of one group are kept from being negatives of each other; such pairs are no term.

    Shape: Output.embeddings image and text (B, E) -> {"cosine_embedding": scalar}.

    Example:
        >>> CosineEmbedding(margin=0.5).margin
        0.5
    """

    def __init__(
        self,
        *,
        margin: Annotated[float, Ge(-1), Le(1)] = 0.0,
        reduction: Literal["mean", "sum"] = "mean",
        mask_same_group: bool = True,
    ) -> None:
        super().__init__()
        self.margin, self.reduction, self.mask_same_group = margin, reduction, mask_same_group

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss."""
        image, text = image_and_text(output, normalize=True)
        scores = image @ text.T  # (B, B)
        negatives = negatives_of(batch, self.mask_same_group)
        pull = (1 - scores.diagonal()).sum()
        push = (scores - self.margin).relu().masked_fill(~negatives, 0.0).sum()
        terms = len(batch) + negatives.sum() if self.reduction == "mean" else 1
        return {"cosine_embedding": (pull + push) / terms}
