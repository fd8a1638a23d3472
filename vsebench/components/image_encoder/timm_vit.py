"""Any vision transformer of timm as patch tokens."""

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


@IMAGE_ENCODERS.register("timm_vit", source="Dosovitskiy et al. 2021, arXiv:2010.11929; Wightman, timm")
class TimmViT(TimmEncoder):
    """Take the patch tokens of a vision transformer, its class token first where it has one.

        (B, prefix + h·w, D), normalised by the last layer norm

    Args:
        checkpoint: the file that ``weights: pretrain`` made (wired).
        timm: what both encoders of timm's models take; its fields are options.

    Shape: uint8 (B, 3, H, W) -> Tokens (B, prefix + h·w, D), grid (h, w), final = the class token.

    Raises: ConfigError for an unknown model, one that is no transformer over patches, a missing or foreign checkpoint,
    a hub that cannot be reached.

    Example:
        >>> TimmViT(model="test_vit", weights="none").dim_out
        64
    """

    component = "timm_vit"

    def __init__(
        self,
        checkpoint: Path | None = None,
        *,
        timm: TimmOptions = TimmOptions(model="vit_small_patch16_224"),
    ) -> None:
        super().__init__(checkpoint, timm, convolutional=False)

    @staticmethod
    def check_layout(model: str, layout: Layout) -> None:
        """Refuse a model that gives a map.

        Raises: ConfigError.
        """
        if layout.kind != "tokens":
            raise ConfigError(f"'{model}' gives a map and does not give patch tokens; use timm_cnn.", path=("model",))

    def arrange(self, tokens: Tensor) -> Tokens:
        """Prefix tokens and patches (B, prefix + h·w, D)."""
        prefix, grid = self.layout.prefix, self.layout.grid
        if self.merge > 1:
            squares = F.avg_pool2d(tokens[:, prefix:].transpose(1, 2).unflatten(2, grid), self.merge)
            grid = (int(squares.shape[2]), int(squares.shape[3]))
            tokens = torch.cat([tokens[:, :prefix], squares.flatten(2).transpose(1, 2)], 1)
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        return Tokens(tokens, mask, tokens[:, 0] if prefix else None, grid)
