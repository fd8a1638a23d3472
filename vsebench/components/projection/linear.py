"""One linear layer."""

from __future__ import annotations

from torch import nn

from vsebench.core.registry import PROJECTIONS


@PROJECTIONS.register("linear", source="VSE, section 3.3.3; docs/methods.md 6.4")
class Linear(nn.Linear):
    """Map a pooled vector by one linear layer.

        v = W x + b

    Args:
        dim: size of the pooled vector, D_m (wired).
        dim_out: D, size of the joint space (wired).

    Shape: (B, D_m) -> (B, D).

    Example:
        >>> Linear(4, 8)
        Linear(in_features=4, out_features=8, bias=True)
    """

    def __init__(self, dim: int, dim_out: int) -> None:
        super().__init__(dim, dim_out)
        self.dim_out = dim_out
