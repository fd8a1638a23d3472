"""Text of a fusion and of its own test."""

from __future__ import annotations

MODULE = '''\
"""TITLE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
import vsebench as vb
from annotated_types import Gt
from torch import Tensor, nn


@vb.FUSIONS.register("$name", source="where it comes from: a paper, a section, your notebook")
class $cls(vb.Fusion):
    """Add the modalities after a linear map each, and scale the sum.

        z = scale · Σ_m (W_m x_m + b_m)

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: D, size of the fused vector (wired).
        scale: multiplies the sum; > 0.

    Shape: {m: (B, D_m)} -> (B, D).

    Example:
        >>> $cls({"image": 4, "text": 3}, 8)({"image": torch.ones(2, 4), "text": torch.ones(2, 3)}).shape
        torch.Size([2, 8])
    """

    def __init__(self, dims: Mapping[str, int], dim_out: int, *, scale: Annotated[float, Gt(0)] = 1.0) -> None:
        super().__init__()
        self.dim_out, self.scale = dim_out, scale
        self.project = nn.ModuleDict({m: nn.Linear(d, dim_out) for m, d in dims.items()})

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse a batch."""
        parts = [project(vectors[m]) for m, project in self.project.items()]
        return self.scale * torch.stack(parts).sum(0)
'''

TEST = """
    module = plugin.$cls({"image": 4, "text": 3}, 8, scale=2.0)
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3)}
    wanted = 2 * (module.project["image"](vectors["image"]) + module.project["text"](vectors["text"]))
    torch.testing.assert_close(module(vectors), wanted)
"""
