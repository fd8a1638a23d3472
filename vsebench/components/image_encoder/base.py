"""Image encoders: pixels to region or patch tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vsebench.core.types import Preprocessing, Tokens
from vsebench.ops.freezing import weights_digest


class ImageEncoder(nn.Module):
    """Turn pixels into tokens.

    Attributes:
        dim_out: D, size of a token.
        cut: not None when the encoder trains in part and can be cut where its frozen stages end. It then has
            ``before_cut(raw) -> Tokens``, computed once and kept, ``after_cut(Tokens) -> Tokens``, which together
            give what ``forward`` gives, and ``cut_digest()`` over the frozen weights.
        frozen: True when no parameter takes a gradient and the module runs in eval mode for good, so that its
            Tokens can be computed once and kept.
        origin: repository and commit of the hub that its weights come from (``model``, ``commit``), recorded with a
            run; None where they come from elsewhere.
        preprocessing: how it wants its pixels.

    Shape: uint8 (B, 3, H, W) -> Tokens (B, N, D) with ``grid`` set. Normalisation happens inside.
    """

    dim_out: int
    frozen: bool
    cut: Any = None
    origin: dict[str, str] | None = None
    preprocessing: Preprocessing

    def normalise(self, pixels: Tensor) -> Tensor:
        """uint8 (B, 3, H, W) -> float, (x / 255 - mean) / std."""
        mean = torch.tensor(self.preprocessing.mean, device=pixels.device).view(1, 3, 1, 1)
        std = torch.tensor(self.preprocessing.std, device=pixels.device).view(1, 3, 1, 1)
        return (pixels.float() / 255 - mean) / std

    def forward(self, pixels: Tensor) -> Tokens:
        """Encode a batch of pixels."""
        raise NotImplementedError(type(self).__name__)

    def weights_digest(self) -> str:
        """Return a digest of all weights and buffers; part of the key of cached Tokens."""
        return weights_digest(self)

    def backbone_state(self) -> dict[str, Tensor]:
        """Return the state that ``weights: pretrain`` keeps and that a ``checkpoint`` of this encoder has."""
        return self.state_dict()
