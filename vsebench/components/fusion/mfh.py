"""Multi-modal factorised high-order pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.fusion._factorized import FactorizedPooling
from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS


@FUSIONS.register("mfh", source="Yu et al. 2018, arXiv:1708.03619")
class MFH(Fusion):
    """Stack factorised bilinear pooling: each stage multiplies the products of the stage before.

        s⁰ = drop(U_1⁰ x_1 ⊙ … ⊙ U_M⁰ x_M),  sⁱ = drop(U_1ⁱ x_1 ⊙ … ⊙ U_Mⁱ x_M) ⊙ sⁱ⁻¹
        z  = W [pool(s⁰); …; pool(sᵖ⁻¹)] + b,  pool as in ``mfb``

    What is carried on is sⁱ before it is pooled, after its dropout. One stage is ``mfb``. Differs from the source: it
    ends with the concatenation and has two modalities; U_mⁱ has biases here.

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: D (wired).
        hidden: o, number of pooled features of a stage, > 0.
        factor: k, products summed into one feature, > 0.
        stages: p, > 0.
        dropout: rate in [0, 0.95] on each stage's products.
        exact: the square root of the released implementations, whose gradient grows without bound near 0.

    Shape: {m: (B, D_m)} -> (B, D).

    Example:
        >>> MFH({"image": 4, "text": 3}, 8, hidden=16).out.in_features
        32
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim_out: int,
        *,
        hidden: Annotated[int, Gt(0)] = 1000,
        factor: Annotated[int, Gt(0)] = 5,
        stages: Annotated[int, Gt(0)] = 2,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.1,
        exact: bool = False,
    ) -> None:
        super().__init__()
        self.dim_out = dim_out
        self.stages = nn.ModuleList(
            FactorizedPooling(dims, hidden, factor, dropout=dropout, exact=exact) for _ in range(stages)
        )
        self.out = nn.Linear(stages * hidden, dim_out)

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        carried: Tensor | None = None
        pooled = []
        for stage in self.stages:
            carried = stage(vectors, carried)
            pooled.append(stage.pool(carried))  # type: ignore[operator]
        fused: Tensor = self.out(torch.cat(pooled, -1))
        return fused
