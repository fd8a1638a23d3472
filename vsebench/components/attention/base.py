"""Attention between and within modalities, before pooling."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from vsebench.core.types import Tokens


class Attention(nn.Module):
    """Change each modality's tokens in the light of the others.

    Constructed with the wired ``dims`` {modality: D_m} (those present), and ``dim`` (the joint dimension).

    Attributes:
        dims_out: {modality: size of a token afterwards}, the same modalities.

    Shape: {m: Tokens (B, N_m, D_m)} -> {m: Tokens (B, N'_m, dims_out[m])}. Padding never changes a real token.
    """

    dims_out: dict[str, int]

    def forward(self, tokens: Mapping[str, Tokens], weights: dict[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Attend. When ``weights`` is a dict, put the attention weights into it by name."""
        raise NotImplementedError(type(self).__name__)
