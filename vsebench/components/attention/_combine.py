"""Tokens and what they attended to, made one token each."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn


class Combine(nn.Module):
    """Combine tokens H with what they attended to, C.

        concat  W [h; c] + b          add  h + c
        gated   g ⊙ h + (1 - g) ⊙ c,  g = σ(W [h; c] + b),  b = 0 at the start

    Args:
        dim: d, size of a token.
        how: ``concat``, ``add`` or ``gated``.

    Shape: (B, N, d), (B, N, d) -> (B, N, d).
    """

    def __init__(self, dim: int, how: Literal["concat", "add", "gated"]) -> None:
        super().__init__()
        self.how = how
        if how == "add":
            return
        self.linear = nn.Linear(2 * dim, dim)
        if how == "gated":
            nn.init.zeros_(self.linear.bias)

    def forward(self, original: Tensor, attended: Tensor) -> Tensor:
        """Combine."""
        if self.how == "add":
            return original + attended
        mixed: Tensor = self.linear(torch.cat([original, attended], -1))
        if self.how == "concat":
            return mixed
        gate = mixed.sigmoid()
        return gate * original + (1 - gate) * attended
