"""Pooling: a set of vectors to one."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from vsebench.core.types import Tokens


class Pooling(nn.Module):
    """Make one vector of a modality's tokens; one instance per modality.

    Constructed with what it takes of the wired ``modality`` (which one it pools), ``dim`` (D of its tokens) and
    ``context`` {other modality: D_m}.

    Attributes:
        dim_out: size of the pooled vector.

    Shape: Tokens (B, N, D), {other: Tokens} -> (B, dim_out). Masked tokens do not count; a set without any real
    token gives zeros.
    """

    dim_out: int

    def forward(self, tokens: Tokens, context: Mapping[str, Tokens] | None = None) -> Tensor:
        """Pool a batch of sets."""
        raise NotImplementedError(type(self).__name__)
