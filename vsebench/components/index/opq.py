"""Product quantiser behind a learned rotation."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Gt, Le

from vsebench.components.index._quantized import Quantized, centroid_bytes, configure, refuse_parts
from vsebench.core.errors import ConfigError
from vsebench.core.registry import INDEXES


@INDEXES.register("opq", source="Ge et al. 2013, CVPR; Johnson et al. 2021, faiss; methods 7")
class OPQ(Quantized):
    """Rotate vectors so that a product quantiser loses least of them.

        min over R (orthogonal) and codes of Σ_i ‖R x_i − x̂_i‖²
        codes given R: product quantiser;   R given codes: U Vᵀ of the singular value decomposition of Σ_i x̂_i x_iᵀ

    in turns. A rotation keeps cosines, and spreads what vectors vary in over all m parts. With ``dim_out`` < D it is a
    projection, which loses what it leaves out.

    Differs from the source: k-means starts from random vectors, as faiss does.

    Args:
        dim: D, size of a vector (wired).
        m: parts; > 0, divides ``dim_out``.
        bits: of a centroid's number; from 3 (faiss's fewest) to 12.
        dim_out: size of a rotated vector; > 0, at most D. None keeps D.
        rerank: compare the best rerank · k once more with the query itself; > 0. The vectors are then kept in memory
            too, 4 · D bytes each. None ranks by codes alone.
        seed: of k-means.

    Shape: queries (Q, D) -> scores and ids (Q, min(k, n)).

    Raises: ConfigError without faiss, if m does not divide ``dim_out``, if ``dim_out`` > D, or for fewer training
        vectors than 2^bits or D.

    Example:
        >>> import numpy as np
        >>> vectors = np.random.default_rng(0).normal(size=(100, 4))
        >>> index = OPQ(4, m=2, bits=4)
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
        dim_out: Annotated[int, Gt(0)] | None = None,
        rerank: Annotated[int, Gt(0)] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(dim, rerank)
        size = dim_out or dim
        if size > dim:
            raise ConfigError(f"dim_out of index 'opq' is at most D = {dim}. Got {size}.", path=("dim_out",))
        refuse_parts("opq", size, m)
        self.needs, self.learns = max(2**bits, dim), f"a rotation of {dim} numbers and 2^{bits} centroids"
        self.settings = (m, bits, size, seed)
        self.inner = self._empty()

    def _empty(self) -> Any:
        m, bits, size, seed = self.settings
        codes = self.faiss.IndexPQ(size, m, bits, self.faiss.METRIC_L2)
        configure(codes.pq, seed)
        # The quantiser that the rotation is learned with; faiss points to it, so it must live as long as the rotation.
        self.draft = self.faiss.ProductQuantizer(size, m, bits)
        configure(self.draft, seed)
        rotation = self.faiss.OPQMatrix(self.dim, m, size)
        rotation.pq = self.draft
        return self.faiss.IndexPreTransform(rotation, codes)

    @property
    def codes(self) -> Any:
        """The faiss index behind the rotation."""
        return self.faiss.downcast_index(self.inner.index)

    def _code_bytes(self) -> int:
        size = self.settings[2]
        return len(self) * int(self.codes.pq.code_size) + centroid_bytes(self.codes.pq) + 4 * self.dim * size
