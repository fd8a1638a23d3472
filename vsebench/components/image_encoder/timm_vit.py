"""Any vision transformer of timm as patch tokens."""

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


@IMAGE_ENCODERS.register("timm_vit", source="Dosovitskiy et al. 2021, arXiv:2010.11929; Wightman, timm")
class TimmViT(TimmEncoder):
    """Take the patch tokens of a vision transformer, its class token first where it has one.

        (B, prefix + h·w, D), normalised by the last layer norm

    Args:
        checkpoint: the file that ``weights: pretrain`` made (wired).
        model: timm name (``resnet18``, ``resnet18.a1_in1k``), or ``hf-hub:owner/name`` of a timm model in the hub.
        weights: ``hub`` (timm's own pretrained weights, from the hub or its cache), ``none`` (random), ``pretrain``
            (trained as a classifier on the training split, once, and kept), ``embedded`` (shipped with the package,
            for rendered scenes; ``model: scenes_vit``) or the path of a local checkpoint.
        revision: branch, tag or commit of the hub's repository; its main branch by default. The commit is recorded with
            the run. Of ``embedded`` weights the version that they must have.
        finetune: ``none`` (frozen), ``last`` (the last ``stages`` train) or ``all``.
        stages: how many of the last stages train with ``finetune: last``.
        freeze_norm: keep batch normalisation in eval mode while the rest trains, as one does with small batches and
            must do with checkpoints whose statistics are folded into the weights.
        image_size: side in pixels; the weights' own by default. Weights of the hub have their position embeddings
            interpolated where timm can.
        model_args: passed on to ``timm.create_model`` (``{pad_type: same}``).
        mean: three numbers for pixels in [0, 1]; the weights' own by default.
        std: like ``mean``.
        interpolation: of resizing; the weights' own by default, bicubic where none are loaded.
        fit: ``stretch`` both sides, ``crop`` the centre (of loaded weights the share that they were evaluated with,
            crop_pct), or ``pad``.
        precision: ``bf16`` runs a frozen backbone under autocast; its tokens are float32 all the same.
        pretrain_epochs: epochs of ``weights: pretrain``.
        pretrain_lr: its learning rate (AdamW, cosine).
        pretrain_batch_size: its batch size.
        merge: merge × merge neighbouring patches are averaged to one; the shipped weights' own by default, else 1.

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
        model: str = "vit_small_patch16_224",
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
        super().__init__(checkpoint, options, convolutional=False)

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
