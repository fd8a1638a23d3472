"""Multimodal compact bilinear pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from vsebench.components.fusion._power import power_normalize
from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS


@FUSIONS.register("mcb", source="Fukui et al. 2016, arXiv:1606.01847, algorithm 1 (count sketch: Pham and Pagh 2013)")
class MCB(Fusion):
    """Project the outer product of the modalities to few features without ever making it.

        ψ_m(x)_j = Σ_{i: h_m(i) = j} s_m(i) x_i ∈ R^d,  h_m(i) ∈ {0, …, d - 1},  s_m(i) ∈ {-1, 1}, drawn once
        c = ψ_1(x_1) ∗ … ∗ ψ_M(x_M) = irfft(rfft ψ_1(x_1) ⊙ … ⊙ rfft ψ_M(x_M))   (circular convolution)
        z = W norm₂(sign(c) √|c|) + b;  without ``normalize``  z = W c + b

    ⟨c(x, y), c(x', y')⟩ is in expectation ⟨x, x'⟩⟨y, y'⟩. Differs from the source: any number of modalities; a linear
    layer instead of the classifier follows. h and s are saved with the weights. Computed in float64: the
    square root would make 1e-4 of a rounding error of 1e-8 where c is zero.

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: D (wired).
        size: d, features of the sketch, > 0.
        normalize: signed square root and unit length before the linear layer, as in the paper.
        exact: the square root of the released implementations, whose gradient grows without bound near 0.
        seed: of h and s, in [0, 2³²); the run's own seed does not change them.

    Shape: {m: (B, D_m)} -> (B, D).

    Example:
        >>> MCB({"image": 4, "text": 3}, 8, size=16).out.in_features
        16
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim_out: int,
        *,
        size: Annotated[int, Gt(0)] = 16000,
        normalize: bool = True,
        exact: bool = False,
        seed: Annotated[int, Ge(0), Lt(2**32)] = 0,
    ) -> None:
        super().__init__()
        self.modalities = tuple(dims)
        self.dim_out, self.size, self.normalize, self.exact = dim_out, size, normalize, exact
        generator = torch.Generator().manual_seed(seed)
        for modality, dim in dims.items():
            self.register_buffer(f"place_{modality}", torch.randint(size, (dim,), generator=generator))
            self.register_buffer(f"sign_{modality}", torch.randint(2, (dim,), generator=generator) * 2 - 1)
        self.out = nn.Linear(size, dim_out)

    def sketch(self, modality: str, vector: Tensor) -> Tensor:
        """ψ_m(x). Shape: (B, D_m) -> (B, d)."""
        signed = vector * self.get_buffer(f"sign_{modality}")
        empty = signed.new_zeros(len(signed), self.size)
        return empty.index_add(1, self.get_buffer(f"place_{modality}"), signed)

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        first = vectors[self.modalities[0]]
        spectra = torch.stack([torch.fft.rfft(self.sketch(m, vectors[m].double())) for m in self.modalities])
        convolved = torch.fft.irfft(spectra.prod(0), n=self.size)
        if self.normalize:
            convolved = power_normalize(convolved, exact=self.exact)
        fused: Tensor = self.out(convolved.to(first.dtype))
        return fused
