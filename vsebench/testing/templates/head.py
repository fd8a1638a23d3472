"""Text of a head and of its own test."""

from __future__ import annotations

MODULE = '''\
"""TITLE."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
import vsebench as vb
from annotated_types import Gt
from torch import Tensor, nn


@vb.HEADS.register("$name", source="where it comes from: a paper, a section, your notebook")
class $cls(vb.Head):
    """Score the classes by the cosine to a learned vector each.

        logits_k = scale · cos(z, w_k)

    Args:
        dim_in: D, size of the joint vector (wired).
        num_classes: C (wired).
        scale: multiplies the cosines; > 0.

    Shape: (B, D) -> (B, C).

    Example:
        >>> $cls(8, 3)(torch.ones(2, 8)).shape
        torch.Size([2, 3])
    """

    def __init__(self, dim_in: int, num_classes: int, *, scale: Annotated[float, Gt(0)] = 16.0) -> None:
        super().__init__()
        self.scale = scale
        self.classes = nn.Parameter(torch.randn(num_classes, dim_in))

    def forward(self, joint: Tensor) -> Tensor:
        """Score a batch."""
        return self.scale * F.normalize(joint, dim=-1) @ F.normalize(self.classes, dim=-1).T
'''

TEST = """
    module = plugin.$cls(4, 3, scale=2.0)
    logits = module(5 * module.classes)  # each class's own vector, whatever its length, scores the whole scale
    torch.testing.assert_close(logits.diagonal(), torch.full((3,), 2.0))
"""
