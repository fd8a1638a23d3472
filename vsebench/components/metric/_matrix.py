"""A matrix of scores and one of relevance, measured as the predictions of a split are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vsebench.components.metric.base import Predictions
from vsebench.ops.ranking import Similarity
from vsebench.ops.relevance import MatchesOf, RelevantOf, by_matrix


class MatrixPredictions(Predictions):
    """Queries against a gallery, with what is relevant to each query given as a matrix instead of groups or labels.

    Args:
        relevant: bool or int (Q, G), the gain of each pair; 0 is not relevant.
        pairs: float (Q, G), scores; None where ``embeddings`` are ranked.
        embeddings: ``image`` (Q, E) of the queries and ``text`` (G, E) of the gallery.
        similarity: of embeddings.
        both: rank the queries for each member of the gallery too.
    """

    _relevant: np.ndarray
    _both: bool

    def __init__(
        self,
        relevant: np.ndarray,
        *,
        pairs: np.ndarray | None = None,
        embeddings: Mapping[str, np.ndarray] | None = None,
        similarity: Similarity = "cosine",
        both: bool = False,
    ) -> None:
        queries, gallery = relevant.shape
        object.__setattr__(self, "_relevant", relevant)
        object.__setattr__(self, "_both", both)
        super().__init__(
            None,
            np.zeros(queries, np.int64),
            embeddings=embeddings or {},
            owner=np.zeros(gallery, np.int64),  # no meaning here: relevance is given
            similarity=similarity,
            pairs=pairs,
        )

    @property
    def directions(self) -> tuple[str, ...]:
        """``i2t`` for queries and gallery, and ``t2i`` where the gallery asks too."""
        return ("i2t", "t2i") if self._both else ("i2t",)

    def relevant(self, direction: str) -> RelevantOf:
        """Take what is relevant from the matrix."""
        return by_matrix(self._gains(direction))

    def matches(self, direction: str) -> MatchesOf:
        """Return which pairs have a gain."""
        gains = self._gains(direction)
        return lambda part, columns: gains[part, columns] != 0

    def _gains(self, direction: str) -> np.ndarray:
        return self._relevant if direction == "i2t" else self._relevant.T
