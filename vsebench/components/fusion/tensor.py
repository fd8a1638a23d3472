"""Tensor fusion network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Gt
from torch import Tensor, nn

from vsebench.components.fusion._outer import outer_product, require_room, with_one
from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS


@FUSIONS.register("tensor", source="Zadeh et al. 2017, arXiv:1707.07250; methods 3.2, row tensor")
class TensorFusion(Fusion):
    """Multiply every feature of one modality with every feature of the others, and with the one appended to each.

        z = vec([1; x_1] ⊗ … ⊗ [1; x_M]), row-major

    Because of the ones z holds every product over a subset of the modalities: 1, each x_m, each pair, and so on.
    Differs from the source: it takes the small vectors of its own sub-networks (32 to 128 features); here ``size``
    projects each x_m linearly first, and null takes the vectors as they are. The one stands first, not last.

    Args:
        dims: size of each modality's vector, D_m (wired).
        size: features per modality before the product, > 0, or null for the vectors as they are (literal).
        cap: largest Π_m (1 + D_m) that is accepted, > 0.

    Shape: {m: (B, D_m)} -> (B, Π_m (1 + D_m)), with ``size`` in the place of D_m.

    Raises: ConfigError if the product is wider than ``cap``.

    Example:
        >>> TensorFusion({"image": 4, "text": 3}, size=None).dim_out
        20
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        *,
        size: Annotated[int, Gt(0)] | None = 32,
        cap: Annotated[int, Gt(0)] = 2**20,
    ) -> None:
        super().__init__()
        self.dim_out = require_room("tensor", ((size or d) + 1 for d in dims.values()), cap, "features")
        self.project = nn.ModuleDict({m: nn.Linear(d, size) if size else nn.Identity() for m, d in dims.items()})

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        return outer_product([with_one(project(vectors[m])) for m, project in self.project.items()])
