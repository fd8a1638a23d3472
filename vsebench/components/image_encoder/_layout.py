"""What a timm backbone gives: a map of regions or a set of tokens, read off a forward pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor, nn

from vsebench.components.encoder._pretrained import reason
from vsebench.core.errors import ConfigError, did_you_mean

#: How timm names a model whose architecture and weights stand in a repository of the hub.
HUB = ("hf-hub:", "hf_hub:")
#: Fewer tokens are class tokens alone.
_FEWEST_PATCHES = 4


@dataclass(frozen=True)
class Layout:
    """What ``forward_features`` gives of one size of images.

    Args:
        kind: ``map`` (B, C, h, w), ``map_last`` (B, h, w, C) or ``tokens`` (B, prefix + h·w, C), row-major.
        grid: (h, w).
        prefix: class and register tokens, which come first.
    """

    kind: Literal["map", "map_last", "tokens"]
    grid: tuple[int, int]
    prefix: int = 0


@torch.no_grad()
def layout_of(backbone: Any, size: tuple[int, int], model: str) -> Layout:
    """Run a backbone over one black image.

    Raises: ConfigError for a size that it cannot read, or what is neither a map nor tokens.
    """
    _check_patches(backbone, size, model)
    modes = {module: module.training for module in backbone.modules()}
    backbone.eval()
    device = next((t.device for t in (*backbone.parameters(), *backbone.buffers())), torch.device("cpu"))
    try:
        values = backbone.forward_features(torch.zeros(1, 3, *size, device=device))
    except Exception as error:  # whatever a model that wants another size raises
        raise ConfigError(
            f"'{model}' cannot read images of {size[0]} × {size[1]} pixels: {type(error).__name__}: {reason(error)}. "
            f"{_sizes(backbone)}",
            path=("image_size",),
        ) from error
    finally:
        for module, mode in modes.items():
            module.training = mode
    return _layout(backbone, values, size, model)


def _check_patches(backbone: Any, size: tuple[int, int], model: str) -> None:
    """Refuse a size that is no multiple of the patches: what is left over at the border would be dropped.

    Raises: ConfigError with the nearest sizes.
    """
    cut = getattr(getattr(backbone, "patch_embed", None), "proj", None)
    if not isinstance(cut, nn.Conv2d) or cut.kernel_size != cut.stride:
        return  # patches that overlap reach the border
    for side, step in zip(size, cut.stride, strict=True):
        if side % step:
            low = side // step * step
            near = " or ".join(str(s) for s in (low, low + step) if s)
            raise ConfigError(
                f"image_size ({side}) is no multiple of the {step} pixels of a patch of '{model}'; {near} is.",
                path=("image_size",),
            )


def _layout(backbone: Any, values: Any, size: tuple[int, int], model: str) -> Layout:
    channels = int(backbone.num_features)
    shape = tuple(values.shape) if isinstance(values, Tensor) else ()
    if len(shape) == 4 and getattr(backbone, "output_fmt", None) != "NHWC" and shape[1] == channels:
        return Layout("map", (shape[2], shape[3]))
    if len(shape) == 4 and shape[3] == channels:
        return Layout("map_last", (shape[1], shape[2]))
    if len(shape) == 3 and shape[2] == channels:
        prefix = getattr(backbone, "num_prefix_tokens", None)
        for count in (0, 1) if prefix is None else (int(prefix),):
            grid = _grid(backbone, shape[1] - count, size)
            if grid is not None:
                return Layout("tokens", grid, count)
    what = f"a tensor of shape {shape}" if shape else f"a {type(values).__name__} of several"
    raise ConfigError(
        f"'{model}' gives neither a map nor one set of patch tokens of {channels} features ({what}). Choose another "
        "model.",
        path=("model",),
    )


def _grid(backbone: Any, patches: int, size: tuple[int, int]) -> tuple[int, int] | None:
    """Return the rows and columns of patches: the model's own, or those of the image's shape."""
    model_grid = getattr(getattr(backbone, "patch_embed", None), "grid_size", None)
    if model_grid is not None and model_grid[0] * model_grid[1] == patches:
        return int(model_grid[0]), int(model_grid[1])
    rows = math.isqrt(max(0, patches) * size[0] // size[1])
    columns = rows * size[1] // size[0]
    return (rows, columns) if rows * columns == patches >= _FEWEST_PATCHES else None


def _sizes(backbone: Any) -> str:
    config = getattr(backbone, "pretrained_cfg", {})
    model_size = tuple(config.get("input_size") or ())[-2:]
    return (
        f"Its own size is {model_size[0]} × {model_size[1]}: leave image_size out."
        if len(model_size) == 2
        else "Choose another size."
    )


def check_name(model: str) -> None:
    """Refuse a model that timm does not have.

    Raises: ConfigError with the nearest name.
    """
    import timm

    architecture, _, tag = model.partition(".")
    known = timm.list_models(pretrained=False)
    if architecture not in known:
        raise ConfigError(f"timm has no model '{model}'." + did_you_mean(model, known), path=("model",))
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        raise ConfigError(
            f"timm has no weights '{tag}' of '{architecture}'."
            + did_you_mean(tag, tags)
            + f" Known: {', '.join(tags) or 'none'}.",
            path=("model",),
        )


def creation_of(model: str, image_size: int | None, model_args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``timm.create_model``; models of a fixed size need it when they are made."""
    from timm.models import get_pretrained_cfg

    arguments = {k: v for k, v in model_args.items() if k != "pre_relu"}  # ours
    config = None if model.startswith(HUB) else get_pretrained_cfg(model)
    if image_size is not None and config is not None and config.fixed_input_size:
        model_size = tuple(config.input_size)[-2:]
        if model_size != (image_size, image_size):
            arguments.setdefault("img_size", image_size)
    return arguments


@lru_cache(maxsize=256)
def planned_layout(model: str, image_size: int | None, model_args: str) -> Layout | None:
    """Return the layout of a model's output, without its weights; None for a model that only the hub describes.

    It is made of meta tensors, which take neither memory nor time, or on the CPU where that is not possible, as with
    older releases of timm.

    Args:
        model: timm name, or ``hf-hub:owner/name``.
        image_size: side in pixels; None for the model's own.
        model_args: their ``repr``, so that the same question is answered once.

    Raises: ConfigError as :func:`check_name` and :func:`layout_of` do, and for arguments that timm refuses.
    """
    import ast

    import timm
    from timm.data import resolve_model_data_config

    if model.startswith(HUB):
        return None
    check_name(model)
    given = ast.literal_eval(model_args)
    arguments = {"num_classes": 0, **creation_of(model, image_size, given)}
    for place in ("meta", "cpu"):
        try:
            with torch.random.fork_rng(devices=[]), torch.device(place):
                backbone = timm.create_model(model, pretrained=False, **arguments)
                model_size = tuple(resolve_model_data_config(backbone)["input_size"])[-2:]
                return layout_of(backbone, model_size if image_size is None else (image_size, image_size), model)
        except Exception as error:
            if place == "meta":
                continue  # the reason may be the place
            if isinstance(error, ConfigError | MemoryError):
                raise
            raise creation_error(model, error, "img_size" in arguments and "img_size" not in given) from error
    raise AssertionError("one of the places decides")


def creation_error(model: str, error: BaseException, sized: bool) -> ConfigError:
    """Why timm did not make a model, in one line."""
    if sized and isinstance(error, TypeError) and "img_size" in str(error):
        return ConfigError(f"'{model}' reads images of one size alone: leave image_size out.", path=("image_size",))
    return ConfigError(f"timm cannot make '{model}' with these options: {reason(error)}.", path=("model_args",))
