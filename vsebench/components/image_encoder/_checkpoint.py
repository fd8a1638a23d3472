"""Local checkpoints of timm models, read without running code and put into a model without leaving anything out."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vsebench.core.errors import ConfigError

#: Where training scripts put the tensors, the first that is there: averaged weights before the last ones.
_KEYS = ("state_dict_ema", "model_ema", "state_dict", "model")
_NAMED = 3


def load_checkpoint(model: nn.Module, weights: str) -> None:
    """Load a file of tensors, ``.safetensors`` or as ``torch.save`` writes it, into a model.

    timm reads some files by unpickling, which runs what the file says; here no version does.

    Raises: ConfigError for a file that cannot be read as tensors, or whose names or shapes are not the model's.
    """
    state = _tensors(weights)
    model_state = model.state_dict()
    missing = [name for name in model_state if name not in state]
    foreign = [name for name in state if name not in model_state]
    others = [
        f"{name} is {tuple(state[name].shape)} instead of {tuple(model_state[name].shape)}"
        for name in model_state
        if name in state and state[name].shape != model_state[name].shape
    ]
    problems = [
        f"{what} {', '.join(names[:_NAMED])}{f' and {len(names) - _NAMED} more' if len(names) > _NAMED else ''}"
        for what, names in (("it lacks", missing), ("the model has no", foreign), ("of another shape:", others))
        if names
    ]
    if problems:
        raise ConfigError(f"weights '{weights}' do not fit the model: {'; '.join(problems)}.", path=("weights",))
    model.load_state_dict(state, strict=True)


def _tensors(weights: str) -> dict[str, Tensor]:
    from safetensors.torch import load_file
    from timm.models import clean_state_dict

    path = Path(weights).expanduser()
    content: Any
    try:
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            # timm's training script writes its arguments beside the tensors.
            with torch.serialization.safe_globals([argparse.Namespace]):
                content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # readers of damaged files raise anything; torch's own text advises to run the code
        raise ConfigError(
            f"weights '{weights}': no file of tensors alone, or a damaged one ({type(error).__name__}). "
            "What would run code when it is read is refused: save the state dict, or a .safetensors file.",
            path=("weights",),
        ) from error
    if isinstance(content, Mapping):
        key = next((key for key in _KEYS if isinstance(content.get(key), Mapping)), None)
        content = clean_state_dict(dict(content if key is None else content[key]))
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ConfigError(f"weights '{weights}': the file holds no state dict, names with tensors.", path=("weights",))
    return dict(content)
