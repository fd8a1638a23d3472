"""Cores of bilinear fusions: a full tensor, and a sum of terms of rank one per output."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vsebench.components.fusion._outer import outer_product


class FullCore(nn.Module):
    """Contract a core tensor with every modality's vector.

        y_k = Σ_{i…j} T_{k, i…j} a_i ⋯ b_j;  T is the weight of a linear map of vec(a ⊗ … ⊗ b), row-major

    Args:
        size: m, of each vector and of the result.
        count: M, number of vectors.

    Shape: M × (B, m) -> (B, m). ``core.weight``: (m, m^M).
    """

    def __init__(self, size: int, count: int) -> None:
        super().__init__()
        self.core = nn.Linear(size**count, size, bias=False)

    def forward(self, parts: Sequence[Tensor]) -> Tensor:
        """Contract."""
        contracted: Tensor = self.core(outer_product(parts))
        return contracted


class LowRankCore(nn.Module):
    """Contract a core tensor of which each output's slice has rank R.

        y_k = Σ_{r<R} Π_m (F_m a_m)_{r·m + k},  reshaped (R, m) row-major: the rank is the slowest index

    Args:
        size: m, of each vector and of the result.
        count: M, number of vectors.
        rank: R.

    Shape: M × (B, m) -> (B, m). ``factors[i].weight``: (R · m, m).
    """

    def __init__(self, size: int, count: int, rank: int) -> None:
        super().__init__()
        self.size, self.rank = size, rank
        self.factors = nn.ModuleList(nn.Linear(size, rank * size, bias=False) for _ in range(count))

    def forward(self, parts: Sequence[Tensor]) -> Tensor:
        """Contract."""
        terms = torch.stack([factor(part) for factor, part in zip(self.factors, parts, strict=True)]).prod(0)
        total: Tensor = terms.unflatten(-1, (self.rank, self.size)).sum(1)
        return total
