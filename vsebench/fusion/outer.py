"""Outer product."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from annotated_types import Gt
from torch import Tensor, nn

from vsebench.errors import ConfigError
from vsebench.fusion.base import Fusion
from vsebench.registry import FUSIONS


@FUSIONS.register("outer", source="METHODS 3, row outer; Zadeh et al. 2017, arXiv:1707.07250, without the ones")
class Outer(Fusion):
    """Multiply every feature of one modality with every feature of the others.

        z = vec(x_1 ⊗ … ⊗ x_M), row-major;  with ``size`` each x_m is first projected to ``size`` features

    Args:
        dims: size of each modality's vector, D_m (wired).
        size: features per modality before the product, or null for the vectors as they are (literal).
        cap: largest Π_m D_m that is accepted.

    Shape: {m: (B, D_m)} -> (B, Π_m D_m).

    Raises: ConfigError if the product is wider than ``cap``.

    Example:
        >>> Outer({"image": 4, "text": 3}, size=None).dim_out
        12
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        *,
        size: Annotated[int, Gt(0)] | None = 32,
        cap: Annotated[int, Gt(0)] = 2**20,
    ) -> None:
        super().__init__()
        sizes = {m: size or d for m, d in dims.items()}
        self.dim_out = math.prod(sizes.values())
        if self.dim_out > cap:
            shown = " × ".join(str(s) for s in sizes.values())
            raise ConfigError(
                f"fusion 'outer': {shown} = {self.dim_out:,} features are more than cap ({cap:,}). Set a smaller size.",
                path=("size",),
            )
        self.project = nn.ModuleDict({m: nn.Linear(d, size) if size else nn.Identity() for m, d in dims.items()})

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        parts = [project(vectors[m]) for m, project in self.project.items()]
        product = parts[0]
        for part in parts[1:]:
            product = (product[:, :, None] * part[:, None, :]).flatten(1)
        return product
