"""Mean of the k largest values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor

from vsebench.components.pooling.base import Pooling
from vsebench.core.registry import POOLINGS
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank


@POOLINGS.register("kmax", source="VSE∞, Chen et al. 2021, arXiv:2011.04305; methods 4", ordered=False, fixed=True)
class KMax(Pooling):
    """Take the mean of the k largest values of each feature over the real tokens.

        pooled_d = 1/k' Σ_{i <= k'} i-th largest of {x_nd : mask_n},  k' = min(k, number of real tokens of the item)

    k = 1 is the maximum; k of at least the set's size is the mean.

    Args:
        dim: D, size of a token (wired).
        k: how many values count, > 0.

    Shape: Tokens (B, N, D) -> (B, D). The order of the tokens does not matter.

    Example:
        >>> KMax(4, k=2).dim_out
        4
    """

    def __init__(self, dim: int, *, k: Annotated[int, Gt(0)] = 5) -> None:
        super().__init__()
        self.dim_out, self.k = dim, k

    def forward(self, tokens: Tokens, context: Mapping[str, Tokens] | None = None) -> Tensor:
        """Pool."""
        values = tokens.values.masked_fill(~tokens.mask[:, :, None], torch.finfo(tokens.values.dtype).min)
        largest = values.topk(min(self.k, values.shape[1]), dim=1).values  # (B, k, D), descending
        count = tokens.mask.sum(1, keepdim=True).clamp(max=largest.shape[1])  # (B, 1), this item's k'
        counts = torch.arange(largest.shape[1], device=count.device)[None] < count
        return blank(largest, counts).sum(1) / count.clamp(min=1)
