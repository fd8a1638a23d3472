"""Any CNN of timm as a region map."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from vsebench.components.image_encoder._layout import Layout
from vsebench.components.image_encoder._timm import TimmEncoder, TimmOptions
from vsebench.core.errors import ConfigError
from vsebench.core.registry import IMAGE_ENCODERS
from vsebench.core.types import Tokens


@IMAGE_ENCODERS.register("timm_cnn", source="Wightman, PyTorch Image Models; methods 1.5, grid features")
class TimmCNN(TimmEncoder):
    """Take the last feature map of a CNN as regions.

        (B, C, h, w) -> (B, h·w, C), row-major

    Args:
        checkpoint: the file that ``weights: pretrain`` made (wired).
        timm: what both encoders of timm's models take; its fields are options.
        flip: frozen only: average the map with that of the mirrored image, mirrored back.

    Shape: uint8 (B, 3, H, W) -> Tokens (B, h·w, C), grid (h, w).

    Raises: ConfigError for an unknown model, one that gives tokens, a size that it cannot read, a missing or foreign
    checkpoint, a hub that cannot be reached.

    Example:
        >>> TimmCNN(model="test_resnet", weights="none", image_size=64).dim_out
        96
    """

    component = "timm_cnn"

    def __init__(
        self,
        checkpoint: Path | None = None,
        *,
        timm: TimmOptions = TimmOptions(),
        flip: bool = False,
    ) -> None:
        super().__init__(checkpoint, timm, convolutional=True)
        self.flip = flip and self.frozen

    def forward(self, pixels: Tensor) -> Tokens:
        """Encode."""
        values = self._map(self.features(pixels))
        if self.flip:
            values = (values + self._map(self.features(pixels.flip(-1))).flip(-1)) / 2
        return self.standardised(self._regions(values))

    def arrange(self, values: Tensor) -> Tokens:
        """Return a map as regions."""
        return self._regions(self._map(values))

    def _regions(self, values: Tensor) -> Tokens:
        grid = (int(values.shape[2]), int(values.shape[3]))
        tokens = values.flatten(2).transpose(1, 2)  # (B, h·w, C)
        return Tokens(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device), grid=grid)

    def _map(self, values: Tensor) -> Tensor:
        values = values.permute(0, 3, 1, 2) if self.layout.kind == "map_last" else values
        return values if self.merge == 1 else F.avg_pool2d(values, self.merge)

    @staticmethod
    def check_layout(model: str, layout: Layout) -> None:
        """Refuse a model that gives tokens.

        Raises: ConfigError.
        """
        if layout.kind == "tokens":
            raise ConfigError(f"'{model}' gives patch tokens, not a map; use timm_vit for it.", path=("model",))
