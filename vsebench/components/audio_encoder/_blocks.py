"""Convolutional blocks over frames that never see what lies behind a sound's end."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Blocks(nn.Module):
    """count × [conv 3×3, batch norm, ReLU, maximum of 2×2], halving time and frequency, doubling the channels.

    Places behind the end are zero before every convolution, as the padding at the edge of the map is, so that a sound
    gives the same in any batch. Batch normalisation takes its statistics over real places only, in training too.

    Args:
        width: channels of the first block.
        count: number of blocks.

    Attributes:
        channels: of the last block.

    Shape: frames (B, L, F), mask (B, L) -> (B, C, ⌈L / 2^count⌉, ⌈F / 2^count⌉), mask (B, ⌈L / 2^count⌉).
    """

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        sizes = [1, *(width * 2**i for i in range(count))]
        pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm1d(b) for _, b in pairs)
        self.channels = sizes[-1]

    def bands(self, frequencies: int) -> int:
        """Return how many are left of so many frequencies."""
        for _ in self.norms:
            frequencies = -(-frequencies // 2)
        return frequencies

    def forward(self, frames: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the maps and the mask of real positions in time."""
        values = frames[:, None]  # (B, 1, L, F)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            values = _at_real_places(norm, convolution(values), mask).relu()
            # The largest of a real value, which is at least 0, and the zeros behind the end is the real one.
            values = F.max_pool2d(values, 2, ceil_mode=True)
            mask = F.max_pool1d(mask[:, None].float(), 2, ceil_mode=True)[:, 0] > 0
        return values, mask


def _at_real_places(norm: nn.Module, values: Tensor, mask: Tensor) -> Tensor:
    """Normalise the real places; the others become zero. Shape: (B, C, L, F), (B, L) -> (B, C, L, F)."""
    by_time = values.transpose(1, 2)  # (B, L, C, F)
    real = by_time[mask]  # (R, C, F)
    whole = torch.zeros_like(by_time)
    if len(real):
        whole[mask] = norm(real).to(whole.dtype)
    return whole.transpose(1, 2)
