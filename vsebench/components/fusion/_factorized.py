"""One stage of factorised bilinear pooling, which ``mfb`` has once and ``mfh`` twice."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vsebench.components.fusion._power import power_normalize


class FactorizedPooling(nn.Module):
    """Expand to products of projections, and pool them.

        expand: s = drop(U_1 x_1 ⊙ … ⊙ U_M x_M [⊙ s_before]),  pool: norm₂(signed sqrt(Σ_{i<k} s_{j·k + i}))

    Args:
        dims: size of each modality's vector, D_m.
        hidden: o, number of pooled features.
        factor: k, products summed into one feature; they stand side by side.
        dropout: rate on the products.
        exact: see ``_power.signed_sqrt``.

    Shape: {m: (B, D_m)} -> (B, o · k); ``pool``: (B, o · k) -> (B, o).
    """

    def __init__(self, dims: Mapping[str, int], hidden: int, factor: int, *, dropout: float, exact: bool) -> None:
        super().__init__()
        self.hidden, self.factor, self.exact = hidden, factor, exact
        self.project = nn.ModuleDict({m: nn.Linear(d, hidden * factor) for m, d in dims.items()})
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Mapping[str, Tensor], before: Tensor | None = None) -> Tensor:
        """Expand; ``before`` is the expansion of an earlier stage."""
        product = torch.stack([project(vectors[m]) for m, project in self.project.items()]).prod(0)
        dropped: Tensor = self.dropout(product)
        return dropped if before is None else dropped * before

    def pool(self, expanded: Tensor) -> Tensor:
        """Sum the k factors of each feature and normalise."""
        return power_normalize(expanded.unflatten(-1, (self.hidden, self.factor)).sum(-1), exact=self.exact)
