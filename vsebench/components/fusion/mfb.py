"""Multi-modal factorised bilinear pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.fusion._factorized import FactorizedPooling
from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS


@FUSIONS.register("mfb", source="Yu et al. 2017, arXiv:1708.01471")
class MFB(Fusion):
    """Multiply projections feature by feature, sum neighbours, and normalise.

        s = drop(U_1 x_1 ⊙ … ⊙ U_M x_M) ∈ R^{k·o},  p_j = Σ_{i<k} s_{j·k + i}
        z = W norm₂(sign(p) √|p|) + b

    The k factors of one output stand side by side: (o, k) row-major, factor fastest. Differs from the source: it ends
    with norm₂ and has two modalities; U_m has biases here.

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: D (wired).
        hidden: o, number of pooled features, > 0.
        factor: k, products summed into one feature, > 0.
        dropout: rate in [0, 0.95] on the products before they are summed.
        exact: the square root of the released implementations, whose gradient grows without bound near 0.

    Shape: {m: (B, D_m)} -> (B, D).

    Example:
        >>> MFB({"image": 4, "text": 3}, 8, hidden=16).dim_out
        8
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim_out: int,
        *,
        hidden: Annotated[int, Gt(0)] = 1000,
        factor: Annotated[int, Gt(0)] = 5,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.1,
        exact: bool = False,
    ) -> None:
        super().__init__()
        self.dim_out = dim_out
        self.stage = FactorizedPooling(dims, hidden, factor, dropout=dropout, exact=exact)
        self.out = nn.Linear(hidden, dim_out)

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        fused: Tensor = self.out(self.stage.pool(self.stage(vectors)))
        return fused
