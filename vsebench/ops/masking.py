"""Softmax, mean and maximum over the real positions of a padded set. A set without real positions gives zeros.

Values at padded positions have no meaning and may be NaN. They are removed, never multiplied by zero: 0 · NaN is NaN,
in a sum as in the gradient of a linear map.
"""

from __future__ import annotations

import torch
from torch import Tensor


def blank(values: Tensor, mask: Tensor) -> Tensor:
    """Zeros at padded positions. A component that maps or weighs tokens does this to them first.

    Args:
        values: float (B, N, D).
        mask: bool (B, N), True for real positions.

    Shape: (B, N, D), (B, N) -> (B, N, D).
    """
    return values.masked_fill(~mask.unsqueeze(-1), 0.0)


def masked_softmax(logits: Tensor, mask: Tensor, dim: int = -1) -> Tensor:
    """Softmax over the positions where ``mask`` is True.

    Masked logits become the dtype's minimum before the softmax; a row without a real position gives zeros, never NaN.

    Args:
        logits: float (…, N).
        mask: bool, True for real positions.
        dim: that is summed over.

    Shape: logits (…, N), mask broadcastable to it -> (…, N).
    """
    filled = logits.masked_fill(~mask, torch.finfo(logits.dtype).min)
    return filled.softmax(dim).masked_fill(~mask, 0.0)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the real vectors.

    Args:
        values: float (B, N, D).
        mask: bool (B, N), True for real positions.

    Shape: (B, N, D), (B, N) -> (B, D).
    """
    weights = mask.unsqueeze(-1).to(values.dtype)
    total = blank(values, mask).sum(1)
    return total / weights.sum(1).clamp(min=1.0)


def masked_max(values: Tensor, mask: Tensor) -> Tensor:
    """Maximum of the real vectors, feature by feature.

    Args:
        values: float (B, N, D).
        mask: bool (B, N), True for real positions.

    Shape: (B, N, D), (B, N) -> (B, D).
    """
    filled = values.masked_fill(~mask.unsqueeze(-1), torch.finfo(values.dtype).min)
    return filled.amax(1).masked_fill(~mask.any(1, keepdim=True), 0.0)
