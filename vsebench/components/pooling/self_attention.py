"""Self-attention pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Gt
from torch import Tensor, nn

from vsebench.components.pooling.base import Pooling
from vsebench.core.registry import POOLINGS
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank, masked_softmax


@POOLINGS.register("self_attention", source="Lin et al. 2017, arXiv:1703.03130; methods 4", ordered=False)
class SelfAttention(Pooling):
    """Weigh the tokens by a small network that looks at each of them.

        e = W_2 tanh(W x_n),  α = softmax_n(e) per hop,  pooled = mean over hops of Σ_n α_n x_n

    Args:
        dim: D, size of a token (wired).
        dim_hidden: rows of W, > 0.
        hops: rows of W_2: how many times the set is read, > 0.

    Shape: Tokens (B, N, D) -> (B, D). The order of the tokens does not matter.

    Example:
        >>> SelfAttention(4).dim_out
        4
    """

    def __init__(self, dim: int, *, dim_hidden: Annotated[int, Gt(0)] = 128, hops: Annotated[int, Gt(0)] = 1) -> None:
        super().__init__()
        self.dim_out = dim
        self.score = nn.Sequential(
            nn.Linear(dim, dim_hidden, bias=False), nn.Tanh(), nn.Linear(dim_hidden, hops, bias=False)
        )

    def forward(self, tokens: Tokens, context: Mapping[str, Tokens] | None = None) -> Tensor:
        """Pool."""
        values = blank(tokens.values, tokens.mask)
        weights = masked_softmax(self.score(values), tokens.mask[:, :, None], dim=1)  # (B, N, hops)
        return (weights.mean(-1, keepdim=True) * values).sum(1)
