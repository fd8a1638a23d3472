"""What fitters share that train hash networks by gradient: the network of a modality, its input, and random draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from vsebench.core.errors import ConfigError

Inputs = Literal["raw", "center", "standardize"]


class HashNetwork(nn.Module):
    """Map a modality's vector to c real outputs, whose signs are its code.

        out = W₂ relu(W₁ x' + b₁) + b₂,   or W x' + b without a hidden layer;   x' = (x − mean) / scale

    Args:
        dim: D, size of the vector.
        bits: c.
        hidden: size of the hidden layer, or None.

    Shape: (B, D) -> (B, c)
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, dim: int, bits: int, hidden: int | None) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))
        self.body = (
            nn.Linear(dim, bits)
            if hidden is None
            else nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, bits))
        )

    def observe(self, vectors: Tensor, inputs: Inputs) -> None:
        """Take mean and scale from the training items. A column that never changes keeps its scale."""
        self.mean.zero_()
        self.scale.fill_(1.0)
        if inputs != "raw":
            self.mean.copy_(vectors.mean(0))
        if inputs == "standardize":
            spread = vectors.std(0, correction=0)
            self.scale.copy_(torch.where(spread > 1e-6 * vectors.abs().amax(0).clamp(min=1e-12), spread, 1.0))

    def draw(self, std: float | None) -> None:
        """Weights anew: N(0, std²) and biases 0, or torch's own way."""
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()
                if std is not None:
                    nn.init.normal_(layer.weight, std=std)
                    nn.init.zeros_(layer.bias)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the real outputs."""
        out: Tensor = self.body((vectors - self.mean) / self.scale)
        return out


def pair_of_networks(
    who: str, dims: Mapping[str, int], bits: int, hidden: Mapping[str, int | None]
) -> dict[str, HashNetwork]:
    """Return a network for images and one for texts.

    Raises: ConfigError for other modalities.
    """
    if set(dims) != {"image", "text"}:
        raise ConfigError(f"fitter '{who}' hashes images and texts; this system has {', '.join(sorted(dims))}.")
    return {m: HashNetwork(dims[m], bits, hidden[m]) for m in ("image", "text")}


@contextmanager
def drawn_from(seed: int, device: torch.device) -> Iterator[None]:
    """All random draws in here (initial weights, batches, dropout of encoders too) depend on ``seed`` alone, and leave
    the state of torch's own generators as it was."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def shares_label(some: Tensor, all_: Tensor) -> Tensor:
    """S: 1 where two items have a label in common, else 0. Shape: zeros and ones (B, K), (n, K) -> float32 (B, n)"""
    return (some @ all_.T > 0).float()
