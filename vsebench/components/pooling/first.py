"""First-token pooling."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vsebench.components.pooling.base import Pooling
from vsebench.core.registry import POOLINGS
from vsebench.core.types import Tokens


@POOLINGS.register("first", source="Devlin et al. 2019, arXiv:1810.04805: the [CLS] state", fixed=True)
class First(Pooling):
    """Take the first token: BERT's [CLS], a ViT's class token, the top left region of a feature map.

    Args:
        dim: D, size of a token (wired).

    Shape: Tokens (B, N, D) -> (B, D); zeros where the first token is padding.

    Example:
        >>> First(4).dim_out
        4
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim_out = dim

    def forward(self, tokens: Tokens, context: Mapping[str, Tokens] | None = None) -> Tensor:
        """Pool."""
        return tokens.values[:, 0].masked_fill(~tokens.mask[:, :1], 0.0)
