"""Mirror images left-right at random."""

from __future__ import annotations

import torch
from torch import Tensor

from vsebench.core.registry import AUGMENTATIONS


@AUGMENTATIONS.register("flip", source="the usual horizontal flip")
def flip(pixels: Tensor) -> Tensor:
    """Mirror each image left-right with probability one half.

    Args:
        pixels: of a training batch (wired).

    Shape: (B, 3, H, W) -> (B, 3, H, W).

    Example:
        >>> flip(torch.ones(2, 3, 4, 4)).shape
        torch.Size([2, 3, 4, 4])
    """
    flipped = torch.rand(len(pixels)) < 0.5
    return torch.where(flipped.to(pixels.device)[:, None, None, None], pixels.flip(-1), pixels)
