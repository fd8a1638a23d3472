"""Softmax, mean and maximum over the real positions of a padded set. A set without real positions gives zeros."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_softmax(logits: Tensor, mask: Tensor, dim: int = -1) -> Tensor:
    """Softmax over the positions where ``mask`` is True.

    Masked logits become the dtype's minimum before the softmax; a row without a real position gives zeros, never NaN.

    Shape: logits (…, N), mask broadcastable to it -> (…, N).
    """
    filled = logits.masked_fill(~mask, torch.finfo(logits.dtype).min)
    return filled.softmax(dim).masked_fill(~mask, 0.0)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the real vectors. Shape: (B, N, D), (B, N) -> (B, D)."""
    weights = mask.unsqueeze(-1).to(values.dtype)
    # Values at padded positions have no meaning and may be NaN: they are removed, not multiplied by zero.
    total = values.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1)
    return total / weights.sum(1).clamp(min=1.0)


def masked_max(values: Tensor, mask: Tensor) -> Tensor:
    """Maximum of the real vectors, feature by feature. Shape: (B, N, D), (B, N) -> (B, D)."""
    filled = values.masked_fill(~mask.unsqueeze(-1), torch.finfo(values.dtype).min)
    return filled.amax(1).masked_fill(~mask.any(1, keepdim=True), 0.0)
