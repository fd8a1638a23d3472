"""Gated multimodal unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor, nn

from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS


@FUSIONS.register("gated", source="Arevalo et al. 2017, arXiv:1702.01992")
class Gated(Fusion):
    """Mix modalities feature by feature, with a gate that sees them all.

        z   = softmax_m(W_m [x_1; …; x_M] / temperature)
        out = Σ_m z_m ⊙ tanh(U_m x_m)

    Differs from the source: a softmax over M modalities; M = 2 is the published sigmoid gate. No biases, as published.

    Args:
        dims: size of each modality's pooled vector, D_m (wired).
        dim_out: D, size of the fused vector (wired).
        temperature: divides the gate's logits; > 0, no unit. Near 0 each feature picks one modality.

    Shape: {m: (B, D_m)} -> (B, D); dtype and device of the inputs.

    Raises: ConfigError if ``temperature`` is not > 0.

    Example:
        >>> Gated({"image": 4, "text": 3}, 8)({"image": torch.ones(2, 4), "text": torch.ones(2, 3)}).shape
        torch.Size([2, 8])
    """

    def __init__(self, dims: Mapping[str, int], dim_out: int, *, temperature: Annotated[float, Gt(0)] = 1.0) -> None:
        super().__init__()
        self.dim_out, self.temperature = dim_out, temperature
        total = sum(dims.values())
        self.content = nn.ModuleDict({m: nn.Linear(d, dim_out, bias=False) for m, d in dims.items()})
        self.gate = nn.ModuleDict({m: nn.Linear(total, dim_out, bias=False) for m in dims})

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        joined = torch.cat([vectors[m] for m in self.content], -1)
        gates = torch.stack([gate(joined) for gate in self.gate.values()])  # (M, B, D)
        contents = torch.stack([content(vectors[m]) for m, content in self.content.items()])
        return ((gates / self.temperature).softmax(0) * contents.tanh()).sum(0)
