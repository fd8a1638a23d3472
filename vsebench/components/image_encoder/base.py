"""Image encoders: pixels to region or patch tokens."""

from __future__ import annotations

from dataclasses import asdict

import torch
from torch import Tensor

from vsebench.components.encoder.base import Encoder
from vsebench.core.digests import digest
from vsebench.core.types import Preprocessing, Tokens


class ImageEncoder(Encoder):
    """Turn pixels into tokens; see :class:`Encoder` for its attributes.

    Attributes:
        preprocessing: how it wants its pixels.

    Shape: uint8 (B, 3, H, W) -> Tokens (B, N, D) with ``grid`` set. Normalisation happens inside.
    """

    preprocessing: Preprocessing

    def normalise(self, pixels: Tensor) -> Tensor:
        """uint8 (B, 3, H, W) -> float, (x / 255 - mean) / std."""
        mean = torch.tensor(self.preprocessing.mean, device=pixels.device).view(1, 3, 1, 1)
        std = torch.tensor(self.preprocessing.std, device=pixels.device).view(1, 3, 1, 1)
        return (pixels.float() / 255 - mean) / std

    def forward(self, pixels: Tensor) -> Tokens:
        """Encode a batch of pixels."""
        raise NotImplementedError(type(self).__name__)

    def input_digest(self) -> str:
        """Return what changes with the preprocessing."""
        return digest(asdict(self.preprocessing))
