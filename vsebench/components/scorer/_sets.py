"""Sets of tokens put in order and cut, so that a block of them has little padding; the precision of scores."""

from __future__ import annotations

import torch
from torch import Tensor

from vsebench.core.types import Tokens


def extents(mask: Tensor) -> Tensor:
    """Position behind each set's last real token, at least 1. Shape: bool (B, N) -> int64 (B,)."""
    position = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    return (mask * position).amax(1).clamp(min=1)


def by_size(sizes: Tensor) -> Tensor:
    """Rows in order of decreasing size. Shape: (B,) -> int64 (B,)."""
    return sizes.argsort(descending=True, stable=True)


def rows_of(tokens: Tokens, rows: Tensor, length: int, device: torch.device | str) -> Tokens:
    """Return some of the sets, their first ``length`` positions. Shape: (B, N, D), (R,) -> (R, length, D)."""
    return Tokens(tokens.values[rows, :length].to(device), tokens.mask[rows, :length].to(device))


def precise(values: Tensor) -> Tensor:
    """In float32, or float64 if they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
