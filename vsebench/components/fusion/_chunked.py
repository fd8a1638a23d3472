"""Fusions whose core is block-diagonal: ``block`` and ``block_tucker``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from vsebench.components.fusion._power import power_normalize
from vsebench.core.errors import ConfigError


def chunk_sizes(fusion: str, size: int, chunks: int) -> list[int]:
    """``size`` in ``chunks`` parts that differ by at most one, larger ones first.

    Raises: ConfigError at ``chunks`` when there are more parts than features.
    """
    if chunks > size:
        raise ConfigError(
            f"fusion '{fusion}': chunks ({chunks}) must be at most size ({size}), or a chunk is empty.",
            path=("chunks",),
        )
    least, more = divmod(size, chunks)
    return [least + (i < more) for i in range(chunks)]


class Chunked(nn.Module):
    """Project, cut into chunks, contract chunk by chunk, normalise each, and map what stands side by side.

        a_m = W_m x_m + b_m;  y_c = norm₂(signed sqrt(core_c(a_1[c], …, a_M[c])));  z = W [y_1; …; y_C] + b

    Args:
        dims: size of each modality's vector, D_m.
        dim_out: D.
        sizes: features of each chunk.
        core: makes a chunk's core from its size.
        exact: see ``_power.signed_sqrt``.

    Shape: {m: (B, D_m)} -> (B, D).
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim_out: int,
        sizes: Sequence[int],
        core: Callable[[int], nn.Module],
        *,
        exact: bool,
    ) -> None:
        super().__init__()
        self.sizes, self.exact = list(sizes), exact
        self.project = nn.ModuleDict({m: nn.Linear(d, sum(sizes)) for m, d in dims.items()})
        self.cores = nn.ModuleList(core(size) for size in sizes)
        self.out = nn.Linear(sum(sizes), dim_out)

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        cut = [project(vectors[m]).split(self.sizes, -1) for m, project in self.project.items()]
        chunks = [core(parts) for core, parts in zip(self.cores, zip(*cut, strict=True), strict=True)]
        fused: Tensor = self.out(torch.cat([power_normalize(c, exact=self.exact) for c in chunks], -1))
        return fused
