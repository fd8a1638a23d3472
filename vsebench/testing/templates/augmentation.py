"""Text of an augmentation and of its own test."""

from __future__ import annotations

MODULE = '''\
"""TITLE."""

from __future__ import annotations

from typing import Annotated

import torch
import vsebench as vb
from annotated_types import Gt, Le
from torch import Tensor


@vb.AUGMENTATIONS.register("$name", source="where it comes from: a paper, a section, your notebook")
def $name(pixels: Tensor, *, most: Annotated[float, Gt(0), Le(1)] = 0.5) -> Tensor:
    """Darken each image by a random share.

        x' = (1 - most · u) x,  u ~ U(0, 1)

    Args:
        pixels: of a training batch (wired).
        most: largest share of the light that is lost, in (0, 1].

    Shape: (B, 3, H, W) -> (B, 3, H, W), of the same type.

    Example:
        >>> $name(torch.ones(2, 3, 4, 4)).shape
        torch.Size([2, 3, 4, 4])
    """
    share = 1 - most * torch.rand(len(pixels), 1, 1, 1)  # from torch's generator, which the epoch's seed sets
    return (pixels * share.to(pixels.device)).to(pixels.dtype)
'''

TEST = """
    white = torch.full((8, 3, 2, 2), 200.0)
    changed = plugin.$name(white, most=0.5)
    assert 100 <= float(changed.min()) < float(changed.max()) <= 200
    assert torch.equal(changed[:, :1, :1, :1].expand_as(changed), changed)  # a factor for each image
"""
