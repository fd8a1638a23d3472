"""Scaled dot products in several heads, and what it takes to build them."""

from __future__ import annotations

from torch import Tensor, nn

from vsebench.core.errors import ConfigError
from vsebench.ops.masking import masked_softmax


def require_division(name: str, heads: int, dim: int) -> None:
    """Refuse a number of heads that does not divide the tokens' size.

    Raises: ConfigError whose path is ``heads``.
    """
    if dim % heads:
        raise ConfigError(f"attention '{name}': heads ({heads}) must divide dim ({dim}).", path=("heads",))


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, heads: int = 1, dropout: nn.Module | None = None
) -> tuple[Tensor, Tensor]:
    """softmax(q kᵀ / sqrt(d / h)) v in each of h slices of the features; padded keys are left out.

    A query without any real key gets zeros.

    Args:
        query: (B, N, d).
        key: (B, M, d).
        value: (B, M, d).
        mask: which keys are real.
        heads: h, how many slices.
        dropout: applied to the weights that are used, not to those that are returned.

    Shape: (B, N, d), (B, M, d), (B, M, d), (B, M) -> (B, N, d), weights (B, h, N, M).
    """
    query, key, value = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (query, key, value))  # (B, h, ·, d/h)
    logits = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    weights = masked_softmax(logits, mask[:, None, None, :])
    used = weights if dropout is None else dropout(weights)
    return (used @ value).transpose(1, 2).flatten(2), weights


class MultiHead(nn.Module):
    """Multi-head attention with its four projections (Vaswani et al. 2017, section 3.2.2).

    Keys have no bias: the softmax would not see it.

    Args:
        dim: size of queries, keys and the result.
        heads: divides ``dim``.
        dropout: rate on the attention weights.

    Shape: queries (B, N, d), context (B, M, d), mask (B, M) -> (B, N, d), weights (B, h, N, M).
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, context: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Attend to the context."""
        key, value = self.key(context), self.value(context)
        attended, weights = attend(self.query(queries), key, value, mask, self.heads, self.dropout)
        return self.out(attended), weights
