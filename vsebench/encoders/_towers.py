"""The two towers of CLIP and SigLIP models of transformers: loading, pixels, and tokens as each model wants them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from vsebench.encoders._freezing import freeze
from vsebench.errors import ConfigError
from vsebench.types import Preprocessing

FAMILIES = ("clip", "siglip")
INTERPOLATIONS = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # as Pillow numbers them


class Tower(nn.Module):
    """One side of a model, frozen, up to the vector that the model compares.

    Attributes:
        family: ``clip`` or ``siglip``.
        dim_out: size of the vector.
        max_length: most tokens of a text (of the text's tower).
    """

    def __init__(self, model: str, side: Literal["vision", "text"]) -> None:
        super().__init__()
        whole = _load_model(model)
        config = whole.config
        self.family: str = config.model_type
        self.body: nn.Module = getattr(whole, f"{side}_model")
        self.projection: nn.Module = nn.Identity()
        if self.family == "clip":
            self.projection = whole.visual_projection if side == "vision" else whole.text_projection
            self.dim_out = int(config.projection_dim)
        else:  # a SigLIP tower ends with its own projection
            text = config.text_config
            self.dim_out = int(config.vision_config.hidden_size if side == "vision" else text.projection_size)
        self.max_length = int(config.text_config.max_position_embeddings)
        freeze([self])

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Encode what the model takes, by name. Shape: -> (B, D)."""
        with torch.no_grad():
            vector: Tensor = self.projection(self.body(**inputs).pooler_output)
        return vector


def preprocessing_of(model: str) -> Preprocessing:
    """How a model wants its pixels, from its image processor's settings.

    Raises: ConfigError for a processor that cuts or scales in a way that is not known here.
    """
    said = load("AutoImageProcessor", model).to_dict()
    size, crop = dict(said["size"]), dict(said.get("crop_size") or {})
    if said.get("do_center_crop") and size.get("shortest_edge") in (crop.get("height"), None):
        height, width, fit = crop["height"], crop["width"], "crop"
    elif not said.get("do_center_crop") and {"height", "width"} <= {k for k, v in size.items() if v}:
        height, width, fit = size["height"], size["width"], "stretch"
    else:
        raise ConfigError(
            f"the image processor of '{model}' fits images in a way that is not known here: size {size}, "
            f"crop_size {crop}.",
            path=("model",),
        )
    interpolation = INTERPOLATIONS.get(int(said["resample"]))
    if interpolation is None:
        raise ConfigError(
            f"the image processor of '{model}' resamples by method {said['resample']}; known: "
            f"{', '.join(INTERPOLATIONS.values())}.",
            path=("model",),
        )
    mean, std = (tuple(float(v) for v in said[key]) for key in ("image_mean", "image_std"))
    return Preprocessing((int(height), int(width)), mean, std, interpolation, fit)  # type: ignore[arg-type]


def _load_model(model: str) -> Any:
    family = load("AutoConfig", model).model_type
    if family not in FAMILIES:
        raise ConfigError(
            f"'{model}' is a model of type {family}; this encoder is a tower of a {' or '.join(FAMILIES)} model.",
            path=("model",),
        )
    # Weights of half precision on disk are computed in float32 all the same; a run's autocast is its own matter.
    options = {"use_safetensors": True, "output_loading_info": True, "dtype": torch.float32}
    whole, said = load("AutoModel", model, options)
    if said["missing_keys"]:
        first = sorted(said["missing_keys"])[0]
        raise ConfigError(
            f"the weights of '{model}' lack {len(said['missing_keys'])} tensors, the first is {first}; they would be "
            "random.",
            path=("model",),
        )
    return whole


def load(what: str, model: str, options: Mapping[str, Any] | None = None) -> Any:
    """``transformers.<what>`` of a hub name or a local folder.

    Raises: ConfigError when it is not there, or the hub cannot be reached.
    """
    import transformers

    transformers.utils.logging.disable_progress_bar()  # one bar per run would bury a sweep's own progress
    local = Path(model).expanduser()
    try:
        return getattr(transformers, what).from_pretrained(str(local) if local.is_dir() else model, **(options or {}))
    except (OSError, ValueError) as error:
        where = (
            f"the folder '{model}'" if local.is_dir() else f"'{model}' (no local folder, not in the hub or its cache)"
        )
        first = str(error).strip().split("\n")[0]
        raise ConfigError(f"transformers cannot load {where}: {first}", path=("model",)) from error
