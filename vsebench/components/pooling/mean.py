"""Mean pooling."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vsebench.components.pooling.base import Pooling
from vsebench.core.registry import POOLINGS
from vsebench.core.types import Tokens
from vsebench.ops.masking import masked_mean


@POOLINGS.register("mean", source="standard; methods 4", ordered=False, fixed=True)
class Mean(Pooling):
    """Average the real tokens.

        pooled = Σ_n mask_n x_n / Σ_n mask_n

    Args:
        dim: D, size of a token (wired).

    Shape: Tokens (B, N, D) -> (B, D). The order of the tokens does not matter.

    Example:
        >>> Mean(4).dim_out
        4
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim_out = dim

    def forward(self, tokens: Tokens, context: Mapping[str, Tokens] | None = None) -> Tensor:
        """Pool."""
        return masked_mean(tokens.values, tokens.mask)
