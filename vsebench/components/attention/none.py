"""No attention."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vsebench.components.attention.base import Attention
from vsebench.core.registry import ATTENTIONS
from vsebench.core.types import Tokens


@ATTENTIONS.register("none", source="the control: every encoder's tokens as they are", ordered=False)
class NoAttention(Attention):
    """Pass every modality's tokens through unchanged.

    Args:
        dims: size of each modality's tokens, D_m (wired).

    Shape: {m: Tokens (B, N_m, D_m)} -> the same.

    Example:
        >>> NoAttention({"image": 4}).dims_out
        {'image': 4}
    """

    def __init__(self, dims: Mapping[str, int]) -> None:
        super().__init__()
        self.dims_out = dict(dims)

    def forward(self, tokens: Mapping[str, Tokens], weights: dict[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Return the tokens."""
        return dict(tokens)
