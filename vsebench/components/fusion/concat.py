"""Concatenation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS


@FUSIONS.register("concat", source="VSE, section 2; methods 3.1, row concat")
class Concat(Fusion):
    """Put the modalities' vectors side by side.

        z = [x_1; …; x_M],  D = Σ_m D_m

    Args:
        dims: size of each modality's vector, D_m (wired).

    Shape: {m: (B, D_m)} -> (B, Σ D_m).

    Example:
        >>> Concat({"image": 4, "text": 3}).dim_out
        7
    """

    def __init__(self, dims: Mapping[str, int]) -> None:
        super().__init__()
        self.modalities = tuple(dims)
        self.dim_out = sum(dims.values())

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        return torch.cat([vectors[m] for m in self.modalities], -1)
