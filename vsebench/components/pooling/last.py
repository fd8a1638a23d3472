"""Last-state pooling."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vsebench.components.pooling.base import Pooling
from vsebench.core.registry import POOLINGS
from vsebench.core.types import Tokens


@POOLINGS.register("last", source="Kiros et al. 2014, arXiv:1411.2539; methods 1.3")
class Last(Pooling):
    """Take the recurrent network's final state, or else the last real token.

    A bidirectional encoder's final state joins the forward state after the last word and the backward state after the
    first one (``Tokens.final``). Attention changes tokens and leaves no final state; then, and for encoders that have
    none, it is the token at the last real position. Never the last column of a padded batch.

    Args:
        dim: D, size of a token (wired).

    Shape: Tokens (B, N, D) -> (B, D); zeros without a real token.

    Example:
        >>> Last(4).dim_out
        4
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim_out = dim

    def forward(self, tokens: Tokens, context: Mapping[str, Tokens] | None = None) -> Tensor:
        """Pool."""
        some = tokens.mask.any(1, keepdim=True)
        if tokens.final is not None and tokens.final.shape[-1] == self.dim_out:
            return tokens.final.masked_fill(~some, 0.0)
        positions = torch.arange(tokens.mask.shape[1], device=tokens.mask.device)
        last = positions.masked_fill(~tokens.mask, -1).amax(1).clamp(min=0)  # (B,)
        row = torch.arange(len(last), device=last.device)
        return tokens.values[row, last].masked_fill(~some, 0.0)
