"""Text encoders: word ids to word tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import nn

from vsebench.core.types import Tokens, Words
from vsebench.ops.freezing import weights_digest


class Tokenizer(Protocol):
    """Turns texts into padded ids."""

    digest: str  # changes when the same text may get other ids

    def __call__(self, texts: Sequence[str]) -> Words:
        """Texts to ids (B, N) padded to the longest of them; an empty text has an all-False mask row or one
        special token, never zero columns (N >= 1)."""
        ...

    def truncated(self, texts: Sequence[str]) -> int:
        """Return the number of the texts that are too long and lose words or tokens."""
        ...


class TextEncoder(nn.Module):
    """Turn word ids into tokens.

    Attributes:
        dim_out: D, size of a token.
        cut: not None when the encoder trains in part and can be cut where its frozen stages end. It then has
            ``before_cut(raw) -> Tokens``, computed once and kept, ``after_cut(Tokens) -> Tokens``, which together
            give what ``forward`` gives, and ``cut_digest()`` over the frozen weights.
        frozen: True when no parameter takes a gradient and the module runs in eval mode for good.
        origin: repository and commit of the hub that its weights come from (``model``, ``commit``), recorded with a
            run; None where they come from elsewhere.
        tokenizer: makes the ids that this encoder reads.

    Shape: Words (B, N) -> Tokens (B, N, D); tokens do not depend on padding.
    """

    dim_out: int
    frozen: bool
    cut: Any = None
    origin: dict[str, str] | None = None
    tokenizer: Tokenizer

    def forward(self, words: Words) -> Tokens:
        """Encode a batch of ids."""
        raise NotImplementedError(type(self).__name__)

    def weights_digest(self) -> str:
        """Return a digest of all weights and buffers; part of the key of cached Tokens."""
        return weights_digest(self)
