"""A normalised non-linear layer."""

from __future__ import annotations

from torch import nn

from vsebench.core.registry import PROJECTIONS


@PROJECTIONS.register("mlp", source="own; layer normalisation: Ba et al. 2016, arXiv:1607.06450")
class Mlp(nn.Sequential):
    """Map a pooled vector by a layer with a non-linearity, normalised before and after it.

        v = GELU(LN(W dropout(LN(x)) + b))

    Args:
        dim: size of the pooled vector, D_m (wired).
        dim_out: D, size of the joint space (wired).
        dropout: rate, the system's (wired).

    Shape: (B, D_m) -> (B, D).

    Example:
        >>> len(Mlp(4, 8))
        5
    """

    def __init__(self, dim: int, dim_out: int, dropout: float = 0.0) -> None:
        layers = nn.LayerNorm(dim), nn.Dropout(dropout), nn.Linear(dim, dim_out), nn.LayerNorm(dim_out), nn.GELU()
        super().__init__(*layers)
        self.dim_out = dim_out
