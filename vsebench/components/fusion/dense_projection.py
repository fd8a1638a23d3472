"""Dense projection: every word through a small feed-forward network, then averaged, beside the image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank, masked_mean


@FUSIONS.register("dense_projection", source="VSE, section 3.3.3; methods 6.4", needs_tokens=True)
class DenseProjection(Fusion):
    """Project each word vector into the joint space, average, and concatenate with the image.

        p_w = FFN(e_w),  FFN: D' -> hidden -> d, ReLU;  z = [v; masked mean_w p_w]

    ``e_w`` are the text encoder's own tokens, before attention and pooling; the pooled text vector is not used. Differs
    from the source, which has image and text only: audio's frames go through a network of their own as words do.

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: d, size of a projected word (wired).
        token_dims: size of each modality's tokens (wired).
        hidden: width of the hidden layer, > 0; default the size of a token, as in the source.
        dropout: rate in [0, 0.95) on the hidden layer.

    Shape: {m: (B, D_m)}, {m: Tokens (B, N_m, D'_m)} -> (B, D_image + d), d more for each further modality.

    Example:
        >>> DenseProjection({"image": 4, "text": 3}, 8, {"image": 5, "text": 6}).dim_out
        12
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim_out: int,
        token_dims: Mapping[str, int],
        *,
        hidden: Annotated[int, Gt(0)] | None = None,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
    ) -> None:
        super().__init__()
        self.modalities = tuple(dims)
        self.project = nn.ModuleDict()
        for modality in (m for m in dims if m != "image"):
            size = token_dims[modality]
            width = hidden or size
            self.project[modality] = nn.Sequential(
                nn.Linear(size, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, dim_out)
            )
        self.dim_out = sum(dim_out if m in self.project else dims[m] for m in dims)

    def forward(self, vectors: Mapping[str, Tensor], tokens: Mapping[str, Tokens]) -> Tensor:  # type: ignore[override]
        """Fuse."""
        parts = [self._words(m, tokens[m]) if m in self.project else vectors[m] for m in self.modalities]
        return torch.cat(parts, -1)

    def _words(self, modality: str, tokens: Tokens) -> Tensor:
        return masked_mean(self.project[modality](blank(tokens.values, tokens.mask)), tokens.mask)
