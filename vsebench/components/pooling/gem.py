"""Generalised-mean pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor, nn

from vsebench.components.pooling.base import Pooling
from vsebench.core.registry import POOLINGS
from vsebench.core.types import Tokens
from vsebench.ops.masking import masked_mean


@POOLINGS.register("gem", source="Radenović et al. 2018, arXiv:1711.02512; methods 4", ordered=False)
class GeM(Pooling):
    """Take the power mean of each feature over the real tokens, with a learned exponent.

        pooled_d = (mean_{n: mask_n} max(x_nd, 1e-6)^p)^(1/p)

    p = 1 is the mean of the positive parts, p → ∞ their maximum. Meant for features after a ReLU.

    Args:
        dim: D, size of a token (wired).
        p: the exponent at the start, > 0.

    Shape: Tokens (B, N, D) -> (B, D). The order of the tokens does not matter.

    Example:
        >>> GeM(4).dim_out
        4
    """

    def __init__(self, dim: int, *, p: Annotated[float, Gt(0)] = 3.0) -> None:
        super().__init__()
        self.dim_out = dim
        self.power = nn.Parameter(torch.tensor(float(p)))

    def forward(self, tokens: Tokens, context: Mapping[str, Tokens] | None = None) -> Tensor:
        """Pool."""
        # Scaled by its largest value, so that neither a large nor a small p over- or underflows.
        positive = tokens.values.masked_fill(~tokens.mask[:, :, None], 1e-6).clamp(min=1e-6)
        top = positive.amax(1, keepdim=True)  # (B, 1, D)
        mean = masked_mean((positive / top) ** self.power, tokens.mask)
        some = tokens.mask.any(1, keepdim=True)
        # An empty set's mean is 0, whose root has no gradient: the root is taken of 1 there.
        root = torch.where(some, mean, 1.0) ** (1 / self.power)
        return (top.squeeze(1) * root).masked_fill(~some, 0.0)
