"""What two forms of SA-CMR share: self-attention within each modality, then attention to something else, combined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn

from vsebench.components.attention._blocks import SelfStack, StackOptions
from vsebench.components.attention._combine import Combine
from vsebench.components.attention._heads import MultiHead, attend
from vsebench.components.attention.base import Attention
from vsebench.core.types import Tokens


class SelfThen(Attention):
    """Self-attention of some modalities, and their attention to a context that the subclass names.

    Args:
        sizes: {modality: size of its tokens} of those that attend.
        dim: d.
        stack: of self-attention.
        project: whether the second attention has linear maps for queries, keys, values and the result.
        combine: how tokens and what they attended to are made one, see :class:`Combine`.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        dim: int,
        *,
        stack: StackOptions,
        project: bool,
        combine: Literal["concat", "add", "gated"],
    ) -> None:
        super().__init__()
        self.stacks, self.attention, self.combine = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        for modality, size in sizes.items():
            self.stacks[modality] = SelfStack(size, dim, stack)
            self.combine[modality] = Combine(dim, combine)
            if project:
                self.attention[modality] = MultiHead(dim, stack.heads, stack.dropout)
        self.dropout = nn.Dropout(stack.dropout)

    def within(self, modality: str, tokens: Tokens, weights: dict[str, Tensor] | None) -> Tokens:
        """Self-attention of a modality. Shape: (B, N, D_m) -> (B, N, d)."""
        result: Tokens = self.stacks[modality].named(tokens, modality, weights)  # type: ignore[operator]
        return result

    def then(self, modality: str, hidden: Tokens, context: Tensor, mask: Tensor) -> tuple[Tokens, Tensor]:
        """Attend to a context and combine. Shape: (B, N, d), (B, M, d), (B, M) -> (B, N, d), weights (B, h', N, M)."""
        if modality in self.attention:
            attended, weights = self.attention[modality](hidden.values, context, mask)
        else:
            attended, weights = attend(hidden.values, context, context, mask, dropout=self.dropout)
        return hidden.with_values(self.combine[modality](hidden.values, attended)), weights
