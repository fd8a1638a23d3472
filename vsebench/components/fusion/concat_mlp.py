"""Concatenation and a multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


@FUSIONS.register("concat_mlp", source="methods 3.1, row concat_mlp; Ngiam et al. 2011, ICML, the shared layer")
class ConcatMLP(Fusion):
    """Put the modalities' vectors side by side and map them with hidden layers.

        h = [x_1; …; x_M];  h = drop(act(W_i h + b_i)) for each layer;  z = W h + b

    Differs from the source: widths and activation are ours; the source pre-trains its shared layer as a
    Boltzmann machine, ours is trained with everything else.

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: D (wired).
        hidden: width of each hidden layer, > 0.
        layers: number of hidden layers, > 0.
        dropout: rate in [0, 0.95] after each hidden layer.
        activation: ``relu``, ``gelu`` or ``tanh``.

    Shape: {m: (B, D_m)} -> (B, D).

    Example:
        >>> ConcatMLP({"image": 4, "text": 3}, 8, hidden=16).dim_out
        8
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim_out: int,
        *,
        hidden: Annotated[int, Gt(0)] = 512,
        layers: Annotated[int, Gt(0)] = 1,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
        activation: Literal["relu", "gelu", "tanh"] = "relu",
    ) -> None:
        super().__init__()
        self.modalities, self.dim_out = tuple(dims), dim_out
        parts: list[nn.Module] = []
        width = sum(dims.values())
        for _ in range(layers):
            parts += [nn.Linear(width, hidden), ACTIVATIONS[activation](), nn.Dropout(dropout)]
            width = hidden
        self.layers = nn.Sequential(*parts, nn.Linear(width, dim_out))

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        fused: Tensor = self.layers(torch.cat([vectors[m] for m in self.modalities], -1))
        return fused
