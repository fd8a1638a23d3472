"""Gated multimodal unit, as published."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS


@FUSIONS.register("gmu", source="Arevalo et al. 2017, arXiv:1702.01992")
class GMU(Fusion):
    """Weigh the modalities feature by feature with sigmoid gates that see them all.

        h_m = tanh(W_m x_m)
        two modalities:  z = σ(W_z [x_1; x_2]),  out = z ⊙ h_1 + (1 - z) ⊙ h_2
        more:            z_m = σ(W_zm [x_1; …; x_M]),  out = Σ_m z_m ⊙ h_m

    No biases, as published. Differs from ``gated``, whose gates are a softmax over the modalities: there the gates of
    three modalities compete, here they are independent. With two modalities both are the same family of functions.

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: D (wired).

    Shape: {m: (B, D_m)} -> (B, D).

    Example:
        >>> GMU({"image": 4, "text": 3}, 8)({"image": torch.ones(2, 4), "text": torch.ones(2, 3)}).shape
        torch.Size([2, 8])
    """

    def __init__(self, dims: Mapping[str, int], dim_out: int) -> None:
        super().__init__()
        self.dim_out = dim_out
        self.content = nn.ModuleDict({m: nn.Linear(d, dim_out, bias=False) for m, d in dims.items()})
        # Of two modalities the first one's gate says it all.
        gated = list(dims)[:1] if len(dims) == 2 else list(dims)
        self.gate = nn.ModuleDict({m: nn.Linear(sum(dims.values()), dim_out, bias=False) for m in gated})

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        joined = torch.cat([vectors[m] for m in self.content], -1)
        gates = [gate(joined).sigmoid() for gate in self.gate.values()]
        if len(self.content) == 2:
            gates.append(1 - gates[0])
        contents = [content(vectors[m]).tanh() for m, content in self.content.items()]
        return torch.stack([z * h for z, h in zip(gates, contents, strict=True)]).sum(0)
