"""What numbers depend on besides data, options and weights. It is a part of the key of all that is kept of them."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

#: What decodes inputs and computes with them.
_LIBRARIES = ("torch", "torchvision", "timm", "transformers", "tokenizers", "numpy", "scipy", "pillow", "soundfile")


def circumstances(device: torch.device, code: str) -> dict[str, Any]:
    """Plain data: device, threads, algorithms, code and versions of libraries.

    Args:
        device: that computes.
        code: digest of the code that computes.
    """
    return {
        "device": device.type,
        "threads": torch.get_num_threads() if device.type == "cpu" else None,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "code": code,
        "libraries": libraries(),
    }


@cache
def libraries() -> dict[str, str]:
    """Versions of the libraries that are installed."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
