"""Block Tucker fusion: a full core tensor per chunk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Gt
from torch import Tensor

from vsebench.components.fusion._bilinear import FullCore
from vsebench.components.fusion._chunked import Chunked, chunk_sizes
from vsebench.components.fusion.base import Fusion
from vsebench.core.errors import ConfigError
from vsebench.core.registry import FUSIONS


@FUSIONS.register("block_tucker", source="Ben-younes et al. 2019, arXiv:1902.00038; its released BlockTucker")
class BlockTucker(Fusion):
    """Let every pair of projected features interact within chunks, each pair with a weight of its own.

        a_m = W_m x_m + b_m, cut into C chunks;  y_c = T_c ×_1 a_1[c] ×_2 … ×_M a_M[c]
        z = W [ŷ_1; …; ŷ_C] + b,  ŷ = norm₂(sign(y) √|y|) chunk by chunk

    ``block`` has T_c of rank R. One chunk without the normalisation is ``tucker``. Differs from the source: the
    released class has a bias after T_c.

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: D (wired).
        size: m, features of all chunks together, > 0.
        chunks: C, in [1, ``size``].
        exact: the square root of the released implementations, whose gradient grows without bound near 0.
        cap: largest number of entries of all T_c together that is accepted, > 0.

    Shape: {m: (B, D_m)} -> (B, D).

    Raises: ConfigError if there are more ``chunks`` than ``size``; if the cores have more than ``cap`` entries.

    Example:
        >>> BlockTucker({"image": 4, "text": 3}, 8, size=10, chunks=3).chunked.cores[0].core.weight.shape
        torch.Size([4, 16])
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim_out: int,
        *,
        size: Annotated[int, Gt(0)] = 1600,
        chunks: Annotated[int, Gt(0)] = 18,
        exact: bool = False,
        cap: Annotated[int, Gt(0)] = 2**24,
    ) -> None:
        super().__init__()
        self.dim_out = dim_out
        sizes = chunk_sizes("block_tucker", size, chunks)
        entries = sum(s ** (len(dims) + 1) for s in sizes)
        if entries > cap:
            raise ConfigError(
                f"fusion 'block_tucker': {chunks} cores of up to {sizes[0]}^{len(dims) + 1} entries have {entries:,} "
                f"together, more than cap ({cap:,}). Set a smaller size or more chunks.",
                path=("size",),
            )
        self.chunked = Chunked(dims, dim_out, sizes, lambda s: FullCore(s, len(dims)), exact=exact)

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        fused: Tensor = self.chunked(vectors)
        return fused
