"""Mirror and move images at random."""

from __future__ import annotations

import torch
from torch import Tensor

from vsebench.components.augmentation.flip import flip
from vsebench.core.registry import AUGMENTATIONS

SHIFT = 8  # an image moves by at most 1 / SHIFT of its side


@AUGMENTATIONS.register("flip_shift", source="the usual flip and shift, as in He et al. 2015, arXiv:1512.03385")
def flip_shift(pixels: Tensor) -> Tensor:
    """Mirror each image left-right with probability one half, then move it by up to an eighth of its side.

    Pixels moved in repeat the edge.

    Args:
        pixels: of a training batch (wired).

    Shape: (B, 3, H, W) -> (B, 3, H, W).

    Example:
        >>> flip_shift(torch.ones(2, 3, 16, 16)).shape
        torch.Size([2, 3, 16, 16])
    """
    pixels = flip(pixels)
    count, _, height, width = pixels.shape
    dy, dx = height // SHIFT, width // SHIFT
    down = torch.randint(-dy, dy + 1, (count, 1))
    right = torch.randint(-dx, dx + 1, (count, 1))
    rows = (torch.arange(height)[None] - down).clamp(0, height - 1).to(pixels.device)  # (B, H)
    columns = (torch.arange(width)[None] - right).clamp(0, width - 1).to(pixels.device)  # (B, W)
    item = torch.arange(count, device=pixels.device)[:, None, None]
    moved = pixels.permute(0, 2, 3, 1)[item, rows[:, :, None], columns[:, None, :]]  # (B, H, W, 3)
    return moved.permute(0, 3, 1, 2).contiguous()
