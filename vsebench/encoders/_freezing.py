"""Freezing encoders, and digests of frozen weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import nn


def freeze(modules: Iterable[nn.Module]) -> None:
    """No gradients, eval mode. The owner must keep the mode in ``train()``."""
    for module in modules:
        module.eval()
        for parameter in module.parameters():
            parameter.requires_grad_(False)


def weights_digest(module: nn.Module) -> str:
    """16 hex digits over names and values of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
