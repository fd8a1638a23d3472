"""Freezing encoders, and digests of frozen weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn


def freeze(modules: Iterable[nn.Module]) -> None:
    """No gradients, eval mode. The owner must keep the mode in ``train()``."""
    for module in modules:
        module.eval()
        for parameter in module.parameters():
            parameter.requires_grad_(False)


def weights_digest(module: nn.Module) -> str:
    """16 hex digits over names and values of all parameters and buffers."""
    return tensors_digest(module.state_dict())


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """16 hex digits over names and values."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def not_finite(module: nn.Module) -> list[str]:
    """Names of parameters and buffers with NaN or infinite values, as a damaged file gives them."""
    state = module.state_dict()
    return [name for name, value in state.items() if value.is_floating_point() and not bool(value.isfinite().all())]


def outside(module: nn.Module, rest: Iterable[nn.Module]) -> dict[str, Tensor]:
    """Parameters and buffers of a module that are in none of the modules ``rest``, by name."""

    def tensors(one: nn.Module) -> Iterator[tuple[str, Tensor]]:
        yield from one.named_parameters()
        yield from one.named_buffers()

    inside = {id(value) for one in rest for _, value in tensors(one)}
    return {name: value for name, value in tensors(module) if id(value) not in inside}
