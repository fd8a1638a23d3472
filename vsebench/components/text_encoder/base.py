"""Text encoders: word ids to word tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vsebench.components.encoder.base import Encoder
from vsebench.core.types import TokenIds, Tokens


class Tokenizer(Protocol):
    """Turns texts into padded ids."""

    digest: str  # changes when the same text may get other ids

    def __call__(self, texts: Sequence[str]) -> TokenIds:
        """Texts to ids (B, N) padded to the longest of them; an empty text has an all-False mask row or one
        special token, never zero columns (N >= 1)."""
        ...

    def truncated(self, texts: Sequence[str]) -> int:
        """Return the number of the texts that are too long and lose words or tokens."""
        ...


class TextEncoder(Encoder):
    """Turn word ids into tokens; see :class:`Encoder` for its attributes.

    Attributes:
        tokenizer: makes the ids that this encoder reads.

    Shape: Words (B, N) -> Tokens (B, N, D); tokens do not depend on padding.
    """

    tokenizer: Tokenizer

    def forward(self, words: TokenIds) -> Tokens:
        """Encode a batch of ids."""
        raise NotImplementedError(type(self).__name__)

    def input_digest(self) -> str:
        """Return what changes when the same text may get other ids."""
        return self.tokenizer.digest
