"""Re-rankers: change a ranking in the light of more than the scores it was made from."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Ranked:
    """What a re-ranker may look at.

    Args:
        scores: (Q, G), cosine of queries and gallery, a block of queries against the whole gallery.
        query: (Q, E) embeddings.
        gallery: (G, E) embeddings.
        query_logits: (Q, C), what the model says of the queries' classes.
        prototypes: (C, E), one query vector per class, made from training items.
    """

    scores: Tensor
    query: Tensor
    gallery: Tensor
    query_logits: Tensor
    prototypes: Tensor


class Reranker(nn.Module):
    """Give new scores. Shape: Ranked -> (Q, G)."""

    def forward(self, ranked: Ranked) -> Tensor:
        """Re-score a block of queries."""
        raise NotImplementedError(type(self).__name__)
