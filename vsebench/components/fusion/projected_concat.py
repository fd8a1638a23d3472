"""Projected concatenation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from vsebench.components.fusion.base import Fusion
from vsebench.core.errors import ConfigError
from vsebench.core.registry import FUSIONS


@FUSIONS.register("projected_concat", source="methods 3.1, row projected_concat")
class ProjectedConcat(Fusion):
    """Project every modality with a ReLU, then join.

        z = [relu(W_1 x_1 + b_1); …; relu(W_M x_M + b_M)]

    The source gives W_m with d rows and calls z a vector of d, which it is not: ``out: concat`` is the literal M·d,
    ``half`` gives each modality d / M, ``max`` takes the element-wise maximum of the M projections.

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: d (wired).
        out: ``concat``, ``half`` or ``max``.

    Shape: {m: (B, D_m)} -> (B, M·d), (B, d) or (B, d).

    Raises: ConfigError if ``out`` is ``half`` and M does not divide d.

    Example:
        >>> ProjectedConcat({"image": 4, "text": 3}, 8, out="half").dim_out
        8
    """

    def __init__(
        self, dims: Mapping[str, int], dim_out: int, *, out: Literal["concat", "half", "max"] = "concat"
    ) -> None:
        super().__init__()
        count = len(dims)
        if out == "half" and dim_out % count:
            raise ConfigError(
                f"fusion 'projected_concat': {count} modalities must divide dim ({dim_out}) for out: half.",
                path=("out",),
            )
        width = dim_out // count if out == "half" else dim_out
        self.out = out
        self.dim_out = dim_out if out == "max" else width * count
        self.project = nn.ModuleDict({m: nn.Linear(d, width) for m, d in dims.items()})

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        parts = [project(vectors[m]).relu() for m, project in self.project.items()]
        return torch.stack(parts).amax(0) if self.out == "max" else torch.cat(parts, -1)
