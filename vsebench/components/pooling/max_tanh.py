"""Max pooling, squashed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor

from vsebench.components.pooling.base import Pooling
from vsebench.core.registry import POOLINGS
from vsebench.core.types import Tokens
from vsebench.ops.masking import masked_max


@POOLINGS.register("max_tanh", source="AMIR, the image keys; methods 6.1, step 1", ordered=False)
class MaxTanh(Pooling):
    """Take the largest value of each feature over the real tokens, between -1 and 1.

        pooled_d = tanh(max_{n: mask_n} x_nd / ς_d)

    Of a map that ends in a ReLU it lies in [0, 1); ``timm_cnn`` with ``model_args: {pre_relu: true}`` gives the map
    before it.

    Differs from the source: it has no ς; without one, features of a size of 3 or more all become 1.

    Args:
        dim: D, size of a token (wired).
        scale: ``none`` (ς = 1, as the source) or ``std``: the standard deviation of each feature over the real tokens
            of training, a running mean of batches.
        momentum: share of the running ς² that a batch leaves, in [0, 1).
        floor: least ς, > 0.

    Shape: Tokens (B, N, D) -> (B, D). The order of the tokens does not matter.

    Example:
        >>> MaxTanh(4).dim_out
        4
    """

    variance: Tensor
    seen: Tensor

    def __init__(
        self,
        dim: int,
        *,
        scale: Literal["none", "std"] = "none",
        momentum: Annotated[float, Ge(0), Lt(1)] = 0.9,
        floor: Annotated[float, Gt(0)] = 1e-3,
    ) -> None:
        super().__init__()
        self.dim_out, self.scale, self.momentum, self.floor = dim, scale, momentum, floor
        self.register_buffer("variance", torch.ones(dim))
        self.register_buffer("seen", torch.tensor(False))

    def forward(self, tokens: Tokens, context: Mapping[str, Tokens] | None = None) -> Tensor:
        """Pool."""
        largest = masked_max(tokens.values, tokens.mask)
        if self.scale == "none":
            return largest.tanh()
        if self.training:
            self._observe(tokens.values[tokens.mask])
        return (largest / self.variance.sqrt().clamp(min=self.floor)).tanh()

    @torch.no_grad()
    def _observe(self, real: Tensor) -> None:
        """Move ς² towards that of a batch. Shape: (R, D)."""
        if len(real) < 2:
            return
        keep = self.momentum * self.seen  # the first batch sets it
        self.variance.copy_(keep * self.variance + (1 - keep) * real.float().var(0))
        self.seen.fill_(True)
