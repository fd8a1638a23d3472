"""Any CNN of timm as a region map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from annotated_types import Gt
from torch import Tensor

from vsebench.components.image_encoder._layout import Layout
from vsebench.components.image_encoder._timm import TimmEncoder
from vsebench.core.errors import ConfigError
from vsebench.core.registry import IMAGE_ENCODERS
from vsebench.core.types import Tokens


@IMAGE_ENCODERS.register("timm_cnn", source="Wightman, PyTorch Image Models; methods 1.5, grid features")
class TimmCNN(TimmEncoder):
    """Take the last feature map of a CNN as regions.

        (B, C, h, w) -> (B, h·w, C), row-major

    Args:
        checkpoint: the file that ``weights: pretrain`` made (wired).
        model: timm name (``resnet18``, ``resnet18.a1_in1k``), or ``hf-hub:owner/name`` of a timm model in the hub.
        weights: ``hub`` (timm's own pretrained weights, from the hub or its cache), ``none`` (random), ``pretrain``
            (trained as a classifier on the training split, once, and kept), ``embedded`` (shipped with the package,
            for rendered scenes; ``model: scenes_cnn``) or the path of a local checkpoint.
        revision: branch, tag or commit of the hub's repository; its main branch by default. The commit is recorded with
            the run. Of ``embedded`` weights the version that they must have.
        finetune: ``none`` (frozen), ``last`` (the last ``stages`` train) or ``all``.
        stages: how many of the last stages train with ``finetune: last``.
        freeze_norm: keep batch normalisation in eval mode while the rest trains, as one does with small batches and
            must do with checkpoints whose statistics are folded into the weights.
        image_size: side in pixels; the weights' own by default. Weights of the hub have their position embeddings
            interpolated where timm can.
        model_args: passed on to ``timm.create_model`` (``{pad_type: same}``). ``pre_relu: true`` is ours: the last map
            as it is before its ReLU, for ``pooling: max_tanh``.
        mean: three numbers for pixels in [0, 1]; the weights' own by default.
        std: like ``mean``.
        interpolation: of resizing; the weights' own by default, bicubic where none are loaded.
        fit: ``stretch`` both sides, ``crop`` the centre (of loaded weights the share that they were evaluated with,
            crop_pct), or ``pad``.
        precision: ``bf16`` runs a frozen backbone under autocast; its tokens are float32 all the same.
        pretrain_epochs: epochs of ``weights: pretrain``.
        pretrain_lr: its learning rate (AdamW, cosine).
        pretrain_batch_size: its batch size.
        merge: merge × merge neighbouring regions are averaged to one; the shipped weights' own by default, else 1.
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
        model: str = "resnet18",
        weights: str = "hub",
        revision: str | None = None,
        finetune: Literal["none", "last", "all"] = "none",
        stages: Annotated[int, Gt(0)] = 1,
        freeze_norm: bool = False,
        image_size: Annotated[int, Gt(0)] | None = None,
        model_args: dict[str, Any] | None = None,
        mean: list[float] | None = None,
        std: list[float] | None = None,
        interpolation: Literal["nearest", "bilinear", "bicubic"] | None = None,
        fit: Literal["stretch", "crop", "pad"] = "stretch",
        precision: Literal["fp32", "bf16"] = "fp32",
        pretrain_epochs: Annotated[int, Gt(0)] = 30,
        pretrain_lr: Annotated[float, Gt(0)] = 1e-3,
        pretrain_batch_size: Annotated[int, Gt(1)] = 64,
        merge: Annotated[int, Gt(0)] | None = None,
        flip: bool = False,
    ) -> None:
        options = {
            "model": model,
            "weights": weights,
            "revision": revision,
            "finetune": finetune,
            "stages": stages,
            "freeze_norm": freeze_norm,
            "image_size": image_size,
            "model_args": model_args or {},
            "mean": mean,
            "std": std,
            "interpolation": interpolation,
            "fit": fit,
            "precision": precision,
            "merge": merge,
        }
        super().__init__(checkpoint, options, convolutional=True)
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
