"""Transformer blocks, and stacks of them over one modality's tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.attention._heads import MultiHead
from vsebench.core.shared_options import SharedOptions
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank
from vsebench.ops.positions import token_positions


class Block(nn.Module):
    """Attention and a feed-forward network, each with a residual and a normalisation.

        pre-norm   U = X + MHA(LN X, LN C),     Y = U + FFN(LN U)
        post-norm  U = LN(X + MHA(X, C)),       Y = LN(U + FFN(U))          FFN: d -> ratio · d -> d, GELU

    C is the context, X itself without one.

    Args:
        dim: d.
        heads: divides d.
        mlp_ratio: hidden size of the FFN as a multiple of d.
        dropout: rate on the attention weights, on the attended values and on what the FFN returns.
        pre_norm: where the normalisation stands.

    Shape: (B, N, d), mask (B, N) [, context (B, M, d), its mask (B, M)] -> (B, N, d), weights (B, h, N, M).
    """

    def __init__(self, dim: int, heads: int, *, mlp_ratio: float, dropout: float, pre_norm: bool) -> None:
        super().__init__()
        hidden = max(1, round(mlp_ratio * dim))
        self.pre_norm = pre_norm
        self.attention = MultiHead(dim, heads, dropout)
        self.norm_attention = nn.LayerNorm(dim)
        self.norm_mlp = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim), nn.Dropout(dropout))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, values: Tensor, mask: Tensor, context: Tensor | None = None, context_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Attend and transform."""
        context = values if context is None else context
        context_mask = mask if context_mask is None else context_mask
        if self.pre_norm:
            seen, context = self.norm_attention(values), self.norm_attention(context)
            attended, weights = self.attention(seen, context, context_mask)
            values = values + self.dropout(attended)
            return values + self.mlp(self.norm_mlp(values)), weights
        attended, weights = self.attention(values, context, context_mask)
        values = self.norm_attention(values + self.dropout(attended))
        return self.norm_mlp(values + self.mlp(values)), weights


class BareBlock(nn.Module):
    """Multi-head self-attention and nothing else. Shape: (B, N, d), mask (B, N) -> (B, N, d), weights."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = MultiHead(dim, heads, dropout)

    def forward(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Attend."""
        result: tuple[Tensor, Tensor] = self.attention(values, values, mask)
        return result


@dataclass(frozen=True)
class StackOptions(SharedOptions):
    """What attentions take that begin with self-attention within each modality.

    Args:
        block: of self-attention, ``bare`` or ``transformer``.
        layers: L of self-attention, at least 1.
        heads: of self-attention, and of what follows it with linear maps; divides d.
        mlp_ratio: hidden size of the FFN as a multiple of d, > 0.
        dropout: rate in [0, 0.95) on the attention weights and, in a transformer block, after both of its halves.
        positions: whether sine/cosine positions are added, two-dimensional ones on a grid; the sources add none.
    """

    block: Literal["bare", "transformer"] = "transformer"
    layers: Annotated[int, Gt(0)] = 1
    heads: Annotated[int, Gt(0)] = 8
    mlp_ratio: Annotated[float, Gt(0)] = 4.0
    dropout: Annotated[float, Ge(0), Le(0.95)] = 0.1
    positions: bool = False


class SelfStack(nn.Module):
    """Project a modality's tokens to d, add positions if asked to, and let them attend to each other L times.

    Args:
        dim_in: D, size of a token.
        dim: d.
        options: L, heads and the kind of block: ``transformer`` is :class:`Block`, pre-norm.

    Shape: Tokens (B, N, D) -> Tokens (B, N, d), the weights of each layer (B, h, N, N).
    """

    def __init__(self, dim_in: int, dim: int, options: StackOptions) -> None:
        super().__init__()
        self.positions = options.positions
        self.project = nn.Linear(dim_in, dim)
        self.blocks = nn.ModuleList(
            BareBlock(dim, options.heads, options.dropout)
            if options.block == "bare"
            else Block(dim, options.heads, mlp_ratio=options.mlp_ratio, dropout=options.dropout, pre_norm=True)
            for _ in range(options.layers)
        )

    def named(self, tokens: Tokens, modality: str, weights: dict[str, Tensor] | None) -> Tokens:
        """Attend L times, and put the weights of each layer into ``weights`` as ``self/modality/layer``."""
        tokens, result = self(tokens)
        if weights is not None:
            weights |= {f"self/{modality}/{layer}": w for layer, w in enumerate(result)}
        return tokens

    def forward(self, tokens: Tokens) -> tuple[Tokens, list[Tensor]]:
        """Attend L times."""
        values = self.project(blank(tokens.values, tokens.mask))
        if self.positions:
            place = token_positions(values.shape[1], values.shape[2], tokens.grid, device=values.device)
            values = values + place.to(values.dtype)
        results = []
        for block in self.blocks:
            values, weights = block(values, tokens.mask)
            results.append(weights)
        return tokens.with_values(values), results
