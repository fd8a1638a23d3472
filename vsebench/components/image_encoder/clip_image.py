"""The image tower of CLIP or SigLIP."""

from __future__ import annotations

import torch
from torch import Tensor

from vsebench.components.encoder._local import ModelOrFolder
from vsebench.components.encoder._pretrained import reason, source_of
from vsebench.components.encoder._towers import Tower, preprocessing_of
from vsebench.components.image_encoder.base import ImageEncoder
from vsebench.core.errors import ConfigError
from vsebench.core.registry import IMAGE_ENCODERS
from vsebench.core.types import Tokens


@IMAGE_ENCODERS.register(
    "clip_image",
    source="Radford et al. 2021, arXiv:2103.00020; SigLIP: Zhai et al. 2023, arXiv:2303.15343; Wolf et al. 2020, "
    "transformers",
)
class ClipImage(ModelOrFolder, ImageEncoder):
    """Take the image vector that a CLIP or SigLIP model compares with a text's: one token, projected already.

    The tower is frozen. Size, cut, interpolation and normalisation of the pixels are the model's own.

    Differs from the source: Pillow cuts and resizes an image in one step. CLIP's processor resizes to whole pixels
    first and cuts at whole pixels then, so that its cut may lie up to a pixel elsewhere. Images that have the model's
    size already are the same.

    Args:
        model: hub name or folder of the whole model (``model_type`` clip or siglip).
        revision: branch, tag or commit of a hub name; its main branch by default. The commit is recorded with the run.

    Shape: uint8 (B, 3, H, W) -> Tokens (B, 1, D), grid (1, 1).

    Raises: ConfigError for a model that is not there, a hub that cannot be reached, a model of another type, tensors
    that are missing or left over, or an image processor with a step that is not known here.

    Example:
        >>> from vsebench.core.registry import IMAGE_ENCODERS
        >>> sorted(IMAGE_ENCODERS.get("clip_image").options)
        ['model', 'revision']
    """

    frozen = True

    def __init__(self, *, model: str = "openai/clip-vit-base-patch32", revision: str | None = None) -> None:
        super().__init__()
        source = source_of(model, revision)
        self.origin = source.origin
        self.tower = Tower(source, "vision")
        self.preprocessing = preprocessing_of(source)
        self._check_size(model)
        self.dim_out = self.tower.dim_out

    def _check_size(self, model: str) -> None:
        height, width = self.preprocessing.size
        try:
            self(torch.zeros(1, 3, height, width, dtype=torch.uint8))
        except (ValueError, RuntimeError) as error:
            raise ConfigError(
                f"'{model}' cannot read the {height} × {width} pixels of its own image processor: {reason(error)}.",
                path=("model",),
            ) from error

    def train(self, mode: bool = True) -> ClipImage:
        """Train mode; the tower stays in eval mode."""
        super().train(mode)
        self.tower.eval()
        return self

    def forward(self, pixels: Tensor) -> Tokens:
        """Encode."""
        vector = self.tower({"pixel_values": self.normalise(pixels)})
        mask = torch.ones(len(vector), 1, dtype=torch.bool, device=vector.device)
        return Tokens(vector[:, None], mask, grid=(1, 1))
