"""A gate between vectors that live in one space."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS


@FUSIONS.register("gated_sum", source="methods 3.1, row gated_sum: SA-CMR's gate")
class GatedSum(Fusion):
    """Average the modalities' vectors feature by feature, with weights from a gate that sees them all.

        g = softmax_m(W_m [x_1; …; x_M] + b_m),  z = Σ_m g_m ⊙ x_m

    Two modalities are the source's g = σ(W [a; b] + b_g), z = g ⊙ a + (1 - g) ⊙ b, with W = W_1 - W_2. The vectors are
    mixed as they are, so z lies between them; ``gated`` and ``gmu`` mix tanh layers of their own. Differs from the
    source: more than two modalities; a vector that is not of size D is mapped to it linearly. Gates start with zero
    biases (b_g = 0).

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: D (wired).

    Shape: {m: (B, D_m)} -> (B, D).

    Example:
        >>> GatedSum({"image": 8, "text": 8}, 8)({"image": torch.zeros(2, 8), "text": torch.zeros(2, 8)})[0, 0].item()
        0.0
    """

    def __init__(self, dims: Mapping[str, int], dim_out: int) -> None:
        super().__init__()
        self.dim_out = dim_out
        self.project = nn.ModuleDict(
            {m: nn.Identity() if d == dim_out else nn.Linear(d, dim_out) for m, d in dims.items()}
        )
        self.gate = nn.ModuleDict({m: nn.Linear(len(dims) * dim_out, dim_out) for m in dims})
        for gate in self.gate.values():
            gate.bias.data.zero_()  # type: ignore[union-attr, operator]

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        parts = [project(vectors[m]) for m, project in self.project.items()]
        joined = torch.cat(parts, -1)
        gates = torch.stack([gate(joined) for gate in self.gate.values()]).softmax(0)  # (M, B, D)
        return (gates * torch.stack(parts)).sum(0)
