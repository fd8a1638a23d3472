"""Outer product."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Gt
from torch import Tensor, nn

from vsebench.components.fusion._outer import outer_product, require_room
from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS


@FUSIONS.register("outer", source="methods 3.2, row outer; Zadeh et al. 2017, arXiv:1707.07250, without the ones")
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
        self.dim_out = require_room("outer", (size or d for d in dims.values()), cap, "features")
        self.project = nn.ModuleDict({m: nn.Linear(d, size) if size else nn.Identity() for m, d in dims.items()})

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        return outer_product([project(vectors[m]) for m, project in self.project.items()])
