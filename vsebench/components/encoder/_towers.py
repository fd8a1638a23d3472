"""The two towers of CLIP and SigLIP models of transformers: loading, pixels, and tokens as each model wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from vsebench.components.encoder._pretrained import Source, reason
from vsebench.core.errors import ConfigError
from vsebench.core.types import Preprocessing
from vsebench.ops.freezing import freeze

FAMILIES = ("clip", "siglip")
INTERPOLATIONS = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # as Pillow numbers them
#: Steps of an image processor that are done here, or that change nothing of a file that is decoded to RGB.
STEPS = {"do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb"}


class Tower(nn.Module):
    """One side of a model, frozen, up to the vector that the model compares.

    Args:
        source: of the whole model.
        side: which of its towers.

    Attributes:
        family: ``clip`` or ``siglip``.
        dim_out: size of the vector.
        max_length: most tokens of a text (of the text's tower).
    """

    def __init__(self, source: Source, side: Literal["vision", "text"]) -> None:
        super().__init__()
        whole = _load_model(source)
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


def preprocessing_of(source: Source) -> Preprocessing:
    """Return how a model wants its pixels, from its image processor's settings.

    Pixels are normalised as (x / 255 - mean) / std here; a processor that scales by another factor, or does not
    normalise, has mean and std that give its numbers.

    Raises: ConfigError for a processor with a step that is not known here, by name.
    """
    settings = source.load("AutoImageProcessor").to_dict()
    try:
        height, width, fit, share = _size_of(settings, source)
        steps = {k for k, v in settings.items() if k.startswith("do_") and v is True} - STEPS
        if steps:
            raise _unknown(source, f"does '{sorted(steps)[0]}', which is not done here")
        interpolation = INTERPOLATIONS.get(int(settings.get("resample", -1)))
        if interpolation is None:
            known = ", ".join(INTERPOLATIONS.values())
            raise _unknown(source, f"resamples by method {settings.get('resample')}; known: {known}")
        factor = 255 * float(settings["rescale_factor"]) if settings.get("do_rescale", True) else 255.0
        normalises = settings.get("do_normalize", True)
        mean = [float(v) for v in (settings["image_mean"] if normalises else (0, 0, 0))]
        std = [float(v) for v in (settings["image_std"] if normalises else (1, 1, 1))]
        if len(mean) != 3 or len(std) != 3 or not all(v > 0 for v in (*std, factor)):
            raise _unknown(source, f"needs three means, and three std and a rescale_factor > 0; got {mean}, {std}")
    except (KeyError, TypeError, ValueError) as error:
        raise _unknown(source, f"has settings that cannot be read ({type(error).__name__}: {reason(error)})") from error
    scaled = [tuple(v / factor for v in values) for values in (mean, std)]
    return Preprocessing((height, width), scaled[0], scaled[1], interpolation, fit, share)  # type: ignore[arg-type]


def _size_of(settings: Mapping[str, Any], source: Source) -> tuple[int, int, str, float]:
    """Height, width, fit and the share of the short side that is cut."""
    size, crop = dict(settings["size"]), dict(settings.get("crop_size") or {})
    exact = (
        (int(size["height"]), int(size["width"])) if {k for k, v in size.items() if v} == {"height", "width"} else None
    )
    short = int(size["shortest_edge"]) if {k for k, v in size.items() if v} == {"shortest_edge"} else 0
    cut = (int(crop.get("height") or 0), int(crop.get("width") or 0))
    resizes, cuts = settings.get("do_resize", True), bool(settings.get("do_center_crop"))
    if resizes and exact is not None and (not cuts or cut == exact):  # or the cut takes all
        return *exact, "stretch", 1.0
    if resizes and cuts and 0 < cut[0] == cut[1] <= short:
        return *cut, "crop", cut[0] / short
    raise _unknown(
        source,
        f"fits images in a way that is not known here: do_resize {resizes}, size {size}, "
        f"do_center_crop {cuts}, crop_size {crop}",
    )


def _unknown(source: Source, what: str) -> ConfigError:
    return ConfigError(f"the image processor of '{source.model}' {what}.", path=("model",))


def _load_model(source: Source) -> Any:
    family = source.load("AutoConfig").model_type
    if family not in FAMILIES:
        raise ConfigError(
            f"'{source.model}' is a model of type {family}; this encoder is a tower of a {' or '.join(FAMILIES)} "
            "model.",
            path=("model",),
        )
    return source.network(lambda whole: whole)
