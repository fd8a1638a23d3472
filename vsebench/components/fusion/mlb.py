"""Multimodal low-rank bilinear pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from annotated_types import Gt
from torch import Tensor, nn

from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS


@FUSIONS.register("mlb", source="Kim et al. 2017, arXiv:1610.04325, eq. 8")
class MLB(Fusion):
    """Multiply non-linear projections feature by feature and project the product.

        z = W (f(W_1 x_1) ⊙ … ⊙ f(W_M x_M))

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: D (wired).
        hidden: width of the product, > 0.
        activation: f; ``tanh`` in the paper.

    Shape: {m: (B, D_m)} -> (B, D).

    Example:
        >>> MLB({"image": 4, "text": 3}, 8, hidden=16).dim_out
        8
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim_out: int,
        *,
        hidden: Annotated[int, Gt(0)] = 512,
        activation: Literal["tanh", "relu"] = "tanh",
    ) -> None:
        super().__init__()
        self.dim_out = dim_out
        self.activation = torch.tanh if activation == "tanh" else torch.relu
        self.project = nn.ModuleDict({m: nn.Linear(d, hidden) for m, d in dims.items()})
        self.out = nn.Linear(hidden, dim_out)

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        parts = [self.activation(project(vectors[m])) for m, project in self.project.items()]
        product: Tensor = self.out(torch.stack(parts).prod(0))
        return product
