"""Category-specific queries."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor

from vsebench.components.reranker.base import Ranked, Reranker
from vsebench.core.registry import RERANKERS


@RERANKERS.register(
    "category_query", source="VSE, section 4.2: the DPM row's post-processing; methods 6.4, PPM retrieval"
)
class CategoryQuery(Reranker):
    """Rank the gallery by the query item and by the query of the class that the model sees in it.

        score(q, g) = cos(q, g) + weight · cos(p_k, g),  k = argmax of the query's logits

    ``p_k`` is the mean training embedding of class k in the gallery's modality.

    Args:
        weight: of the class's query, ≥ 0; 0 changes nothing. The source's reading is 1.

    Shape: Ranked of Q queries and G gallery items -> (Q, G).

    Example:
        >>> CategoryQuery(weight=0.5).weight
        0.5
    """

    def __init__(self, *, weight: Annotated[float, Ge(0)] = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, ranked: Ranked) -> Tensor:
        """Re-score."""
        gallery = F.normalize(ranked.gallery, dim=-1)
        prototypes = F.normalize(ranked.prototypes, dim=-1)[ranked.query_logits.argmax(-1)]
        return ranked.scores + self.weight * prototypes @ gallery.T
