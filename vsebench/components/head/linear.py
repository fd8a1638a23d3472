"""Linear classifier."""

from __future__ import annotations

from torch import Tensor, nn

from vsebench.components.head.base import Head
from vsebench.core.registry import HEADS


@HEADS.register("linear", source="VSE, table 1: the Baseline row's CNN -> Linear(K)")
class Linear(Head):
    """Score the classes with one linear map.

        logits = W z + b

    Args:
        dim_in: D, size of the joint vector (wired).
        num_classes: C (wired).

    Shape: (B, D) -> (B, C).

    Example:
        >>> Linear(8, 3).out.out_features
        3
    """

    def __init__(self, dim_in: int, num_classes: int) -> None:
        super().__init__()
        self.out = nn.Linear(dim_in, num_classes)

    def forward(self, joint: Tensor) -> Tensor:
        """Score."""
        logits: Tensor = self.out(joint)
        return logits
