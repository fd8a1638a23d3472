"""Product quantiser."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le

from vsebench.components.index._quantized import Quantized, centroid_bytes, configure, refuse_parts
from vsebench.core.registry import INDEXES


@INDEXES.register("pq", source="Jégou et al. 2011, TPAMI 33(1); Johnson et al. 2021, faiss; methods 7")
class PQ(Quantized):
    """Write each part of a vector as the number of its nearest centroid.

        x = [x_1; …; x_m] ≈ x̂ = [c_1(i_1); …; c_m(i_m)]
        ‖q − x̂‖² = Σ_j table_j[i_j],   table_j[i] = ‖q_j − c_j(i)‖²
        score = (‖q‖² + 1 − ‖q − x̂‖²) / 2

    A code is m · bits / 8 bytes; a query is not quantised. Each part's 2^bits centroids are learned by 25 rounds of
    k-means from the vectors that ``train`` is given.

    Differs from the source: k-means starts from random vectors, as faiss does, not by k-means++.

    Args:
        dim: D, size of a vector (wired).
        m: parts; > 0, divides D.
        bits: of a centroid's number; from 3 (faiss's fewest) to 12.
        rerank: compare the best rerank · k once more with the query itself; > 0. The vectors are then kept in memory
            too, 4 · D bytes each. None ranks by codes alone.
        seed: of k-means.

    Shape: queries (Q, D) -> scores and ids (Q, min(k, n)).

    Raises: ConfigError without faiss, if m does not divide D, or for fewer than 2^bits training vectors.

    Example:
        >>> import numpy as np
        >>> vectors = np.random.default_rng(0).normal(size=(100, 4))
        >>> index = PQ(4, m=2, bits=4)
        >>> index.train(vectors)
        >>> index.add(np.arange(100), vectors)
        >>> index.search(vectors[:1], 3)[1].shape
        (1, 3)
    """

    def __init__(
        self,
        dim: int,
        *,
        m: Annotated[int, Gt(0)] = 8,
        bits: Annotated[int, Ge(3), Le(12)] = 8,
        rerank: Annotated[int, Gt(0)] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(dim, rerank)
        refuse_parts("pq", dim, m)
        self.needs, self.learns = 2**bits, f"2^{bits} centroids for each of {m} parts"
        self.inner = self.faiss.IndexPQ(dim, m, bits, self.faiss.METRIC_L2)
        configure(self.inner.pq, seed)

    def _code_bytes(self) -> int:
        return len(self) * int(self.inner.pq.code_size) + centroid_bytes(self.inner.pq)
