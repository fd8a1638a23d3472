"""Tucker fusion: a full core tensor between projections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Gt
from torch import Tensor, nn

from vsebench.components.fusion._bilinear import FullCore
from vsebench.components.fusion._outer import require_room
from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS


@FUSIONS.register("tucker", source="Ben-younes et al. 2017, arXiv:1705.06676, the Tucker decomposition; Tucker 1966")
class Tucker(Fusion):
    """Let every pair of projected features of two modalities interact, each with a weight of its own.

        a_m = W_m x_m + b_m ∈ R^m,  z = W (T ×_1 a_1 ×_2 … ×_M a_M) + b,  T ∈ R^{m × … × m} with M + 1 modes

    Differs from the source: no tanh; any number of modalities, as far as ``cap`` allows.

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: D (wired).
        size: m, of every mode of the core, > 0.
        cap: largest number of entries of T that is accepted, > 0.

    Shape: {m: (B, D_m)} -> (B, D).

    Raises: ConfigError if T has more than ``cap`` entries.

    Example:
        >>> Tucker({"image": 4, "text": 3}, 8, size=5).core.core.weight.shape
        torch.Size([5, 25])
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim_out: int,
        *,
        size: Annotated[int, Gt(0)] = 235,
        cap: Annotated[int, Gt(0)] = 2**24,
    ) -> None:
        super().__init__()
        require_room("tucker", [size] * (len(dims) + 1), cap, "entries of the core")
        self.dim_out = dim_out
        self.project = nn.ModuleDict({m: nn.Linear(d, size) for m, d in dims.items()})
        self.core = FullCore(size, len(dims))
        self.out = nn.Linear(size, dim_out)

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        fused: Tensor = self.out(self.core([project(vectors[m]) for m, project in self.project.items()]))
        return fused
