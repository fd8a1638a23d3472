"""BLOCK: block-superdiagonal tensor fusion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Gt
from torch import Tensor

from vsebench.components.fusion._bilinear import LowRankCore
from vsebench.components.fusion._chunked import Chunked, chunk_sizes
from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS


@FUSIONS.register("block", source="Ben-younes et al. 2019, arXiv:1902.00038")
class Block(Fusion):
    """Let projected features interact within chunks, through R terms of rank one per output.

        a_m = W_m x_m + b_m, cut into C chunks;  y_c = Σ_{r<R} (F_1^{c,r} a_1[c]) ⊙ … ⊙ (F_M^{c,r} a_M[c])
        z = W [ŷ_1; …; ŷ_C] + b,  ŷ = norm₂(sign(y) √|y|) chunk by chunk

    One chunk without the normalisation is ``mutan``. Differs from the source: the released class has biases in F, and
    makes its last chunk smaller where C does not divide m; ours differ by at most one feature.

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: D (wired).
        size: m, features of all chunks together, > 0.
        chunks: C, in [1, ``size``].
        rank: R, > 0.
        exact: the square root of the released implementations, whose gradient grows without bound near 0.

    Shape: {m: (B, D_m)} -> (B, D).

    Raises: ConfigError if there are more ``chunks`` than ``size``.

    Example:
        >>> Block({"image": 4, "text": 3}, 8, size=10, chunks=3).chunked.sizes
        [4, 3, 3]
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim_out: int,
        *,
        size: Annotated[int, Gt(0)] = 1600,
        chunks: Annotated[int, Gt(0)] = 18,
        rank: Annotated[int, Gt(0)] = 15,
        exact: bool = False,
    ) -> None:
        super().__init__()
        self.dim_out = dim_out
        sizes = chunk_sizes("block", size, chunks)
        self.chunked = Chunked(dims, dim_out, sizes, lambda s: LowRankCore(s, len(dims), rank), exact=exact)

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        fused: Tensor = self.chunked(vectors)
        return fused
