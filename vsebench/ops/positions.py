"""Sine/cosine positions in one and two dimensions (Vaswani et al. 2017, section 3.5)."""

from __future__ import annotations

import torch
from torch import Tensor


def sinusoid(count: int, dim: int, *, device: torch.device | None = None) -> Tensor:
    """PE(p, 2i) = sin(p / 10000^(2i/dim)), PE(p, 2i+1) = cos(·). Shape: -> (count, dim)."""
    position = torch.arange(count, device=device, dtype=torch.float32)[:, None]
    pair = torch.arange(0, dim, 2, device=device, dtype=torch.float32)
    angle = position / 10000 ** (pair / dim)
    table = torch.zeros(count, dim, device=device)
    table[:, 0::2] = angle.sin()
    table[:, 1::2] = angle.cos()[:, : dim // 2]
    return table


def sinusoid_grid(height: int, width: int, dim: int, *, device: torch.device | None = None) -> Tensor:
    """Half of the channels for the row, half for the column. Shape: -> (height · width, dim), row-major."""
    half = dim // 2
    rows = sinusoid(height, half, device=device)[:, None].expand(height, width, half)
    columns = sinusoid(width, dim - half, device=device)[None].expand(height, width, dim - half)
    return torch.cat([rows, columns], -1).reshape(height * width, dim)


def token_positions(count: int, dim: int, grid: tuple[int, int] | None, *, device: torch.device) -> Tensor:
    """Positions of a set of tokens: on a grid after its prefix tokens (which get zeros), else in a row.

    Shape: -> (count, dim).
    """
    if grid is None:
        return sinusoid(count, dim, device=device)
    table = sinusoid_grid(*grid, dim, device=device)
    prefix = count - len(table)
    return torch.cat([table.new_zeros(prefix, dim), table]) if prefix else table
