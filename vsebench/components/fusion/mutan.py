"""MUTAN: Tucker fusion with a core of low rank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Gt
from torch import Tensor, nn

from vsebench.components.fusion._bilinear import LowRankCore
from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS


@FUSIONS.register("mutan", source="Ben-younes et al. 2017, arXiv:1705.06676, the tensor sparsity (rank) constraint")
class Mutan(Fusion):
    """Let projected features of the modalities interact through R terms of rank one per output.

        a_m = W_m x_m + b_m ∈ R^m,  y = Σ_{r<R} (F_1^r a_1) ⊙ … ⊙ (F_M^r a_M),  z = W y + b

    The R blocks of a factor matrix stand one below the other: (R, m) row-major, rank slowest. With R = m every core of
    ``tucker`` can be written so. Differs from the source: no tanh and no dropout; the released class has biases in F,
    the paper's equations have none.

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: D (wired).
        size: m, > 0.
        rank: R, > 0.

    Shape: {m: (B, D_m)} -> (B, D).

    Example:
        >>> Mutan({"image": 4, "text": 3}, 8, size=5, rank=2).core.factors[0].weight.shape
        torch.Size([10, 5])
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim_out: int,
        *,
        size: Annotated[int, Gt(0)] = 700,
        rank: Annotated[int, Gt(0)] = 10,
    ) -> None:
        super().__init__()
        self.dim_out = dim_out
        self.project = nn.ModuleDict({m: nn.Linear(d, size) for m, d in dims.items()})
        self.core = LowRankCore(size, len(dims), rank)
        self.out = nn.Linear(size, dim_out)

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        fused: Tensor = self.out(self.core([project(vectors[m]) for m, project in self.project.items()]))
        return fused
