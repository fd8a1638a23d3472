"""Low-rank multimodal fusion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor, nn

from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS


@FUSIONS.register("lowrank", source="Liu et al. 2018, arXiv:1806.00064, eq. 6")
class LowRank(Fusion):
    """Contract the tensor product of all modalities (with a one appended to each) with a low-rank weight tensor.

        h = Σ_r w_r Π_m (U_m^r [1; x_m]) + b,  U_m^r of shape (D, D_m + 1)

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: D (wired).
        rank: R, number of rank-one terms, > 0.

    Shape: {m: (B, D_m)} -> (B, D).

    Example:
        >>> LowRank({"image": 4, "text": 3}, 8).dim_out
        8
    """

    def __init__(self, dims: Mapping[str, int], dim_out: int, *, rank: Annotated[int, Gt(0)] = 4) -> None:
        super().__init__()
        self.dim_out, self.rank = dim_out, rank
        # The appended one is the bias of a linear map.
        self.factors = nn.ModuleDict({m: nn.Linear(d, rank * dim_out) for m, d in dims.items()})
        self.weight = nn.Parameter(torch.full((rank,), rank**-0.5))
        self.bias = nn.Parameter(torch.zeros(dim_out))

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        parts = [factor(vectors[m]).unflatten(-1, (self.rank, self.dim_out)) for m, factor in self.factors.items()]
        product = torch.stack(parts).prod(0)  # (B, R, D)
        return (self.weight[:, None] * product).sum(1) + self.bias
