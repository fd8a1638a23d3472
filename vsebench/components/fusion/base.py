"""Fusion: one vector per modality to one joint vector."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from vsebench.core.types import DocumentAttention


class Fusion(nn.Module):
    """Join the modalities' vectors.

    Constructed with what it takes of the wired ``dims`` {modality: D_m}, ``dim_out`` (the model's joint dimension,
    a wish) and, for a fusion registered with ``needs_tokens=True``, ``token_dims`` {modality: size of a token}.

    Attributes:
        dim_out: D, the width that it really returns.

    Shape: {m: (B, D_m)} -> (B, D). A fusion with ``needs_tokens`` is called with the encoders' tokens
    {m: Tokens} as a second argument; one registered with ``compares`` with ``present`` {m: bool (B,)}, and it masks
    what an item lacks.
    """

    dim_out: int

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse a batch."""
        raise NotImplementedError(type(self).__name__)

    def compare(self, vectors: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> DocumentAttention | None:
        """Return how a fusion registered with ``compares`` compares the documents of a batch, for objectives."""
        return None

    def embed(self, modality: str, vector: Tensor) -> Tensor:
        """Return the retrieval embedding of one modality's vector alone: in most fusions the vector itself."""
        return vector

    def embedding_dim(self, dim: int) -> int:
        """Size of what :meth:`embed` makes of a vector of a size."""
        return dim
