"""Max pooling."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vsebench.components.pooling.base import Pooling
from vsebench.core.registry import POOLINGS
from vsebench.core.types import Tokens
from vsebench.ops.masking import masked_max


@POOLINGS.register("max", source="standard; methods 4", ordered=False, fixed=True)
class Max(Pooling):
    """Take the largest value of each feature over the real tokens.

        pooled_d = max_{n: mask_n} x_nd

    Args:
        dim: D, size of a token (wired).

    Shape: Tokens (B, N, D) -> (B, D). The order of the tokens does not matter.

    Example:
        >>> Max(4).dim_out
        4
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim_out = dim

    def forward(self, tokens: Tokens, context: Mapping[str, Tokens] | None = None) -> Tensor:
        """Pool."""
        return masked_max(tokens.values, tokens.mask)
