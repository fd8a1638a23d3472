"""Dense projection: every word through a small feed-forward network, then averaged, beside the image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.fusion.base import Fusion
from vsebench.masking import masked_mean
from vsebench.registry import FUSIONS
from vsebench.types import Tokens


@FUSIONS.register("dense_projection", source="VSE, section 3.3.3; METHODS 6.4", needs=("text",), needs_tokens=True)
class DenseProjection(Fusion):
    """Project each word vector into the joint space, average, and concatenate with the other modalities.

        p_w = FFN(e_w),  FFN: D_text -> hidden -> d, ReLU;  z = [v; masked mean_w p_w]

    ``e_w`` are the text encoder's own tokens, before attention and pooling; the pooled text vector is not used.

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: d, size of a projected word (wired).
        token_dims: size of each modality's tokens (wired).
        hidden: width of the hidden layer; default the size of a word vector, as in the source.
        dropout: rate in [0, 0.95) on the hidden layer.

    Shape: {m: (B, D_m)}, {m: Tokens (B, N_m, D'_m)} -> (B, Σ_{m ≠ text} D_m + d).

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
        size = token_dims["text"]
        hidden = hidden or size
        self.others = tuple(m for m in dims if m != "text")
        self.project = nn.Sequential(
            nn.Linear(size, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, dim_out)
        )
        self.dim_out = sum(dims[m] for m in self.others) + dim_out

    def forward(self, vectors: Mapping[str, Tensor], tokens: Mapping[str, Tokens]) -> Tensor:  # type: ignore[override]
        """Fuse."""
        words = tokens["text"]
        text = masked_mean(self.project(words.values), words.mask)
        return torch.cat([*(vectors[m] for m in self.others), text], -1)
