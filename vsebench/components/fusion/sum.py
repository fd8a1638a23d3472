"""Sum of projections."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS


@FUSIONS.register("sum", source="methods 3.1, row sum")
class Sum(Fusion):
    """Add the modalities after a linear map each.

        z = Σ_m W_m x_m + b_m

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: D (wired).

    Shape: {m: (B, D_m)} -> (B, D).

    Example:
        >>> Sum({"image": 4, "text": 3}, 8).dim_out
        8
    """

    def __init__(self, dims: Mapping[str, int], dim_out: int) -> None:
        super().__init__()
        self.dim_out = dim_out
        self.project = nn.ModuleDict({m: nn.Linear(d, dim_out) for m, d in dims.items()})

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        return torch.stack([project(vectors[m]) for m, project in self.project.items()]).sum(0)
