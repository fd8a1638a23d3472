"""Random changes of training pixels. Drawn from torch's generator, so the epoch's seed fixes them."""

from __future__ import annotations

import torch
from torch import Tensor

SHIFT = 8  # an image moves by at most 1 / SHIFT of its side


def augment(pixels: Tensor, kind: str) -> Tensor:
    """Flip half of the images left-right, and with ``flip_shift`` move each by up to an eighth of its side.

    Args:
        kind: ``none``, ``flip`` or ``flip_shift``.

    Shape: (B, 3, H, W) -> (B, 3, H, W); pixels moved in repeat the edge.
    """
    if kind == "none":
        return pixels
    flipped = torch.rand(len(pixels)) < 0.5
    pixels = torch.where(flipped.to(pixels.device)[:, None, None, None], pixels.flip(-1), pixels)
    if kind == "flip":
        return pixels
    return _shift(pixels)


def _shift(pixels: Tensor) -> Tensor:
    count, _, height, width = pixels.shape
    dy, dx = height // SHIFT, width // SHIFT
    down = torch.randint(-dy, dy + 1, (count, 1))
    right = torch.randint(-dx, dx + 1, (count, 1))
    rows = (torch.arange(height)[None] - down).clamp(0, height - 1).to(pixels.device)  # (B, H)
    columns = (torch.arange(width)[None] - right).clamp(0, width - 1).to(pixels.device)  # (B, W)
    item = torch.arange(count, device=pixels.device)[:, None, None]
    moved = pixels.permute(0, 2, 3, 1)[item, rows[:, :, None], columns[:, None, :]]  # (B, H, W, 3)
    return moved.permute(0, 3, 1, 2).contiguous()
