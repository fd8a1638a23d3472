"""Averaged word vectors."""

from __future__ import annotations

from typing import Any

from vsebench.components.text_encoder._words import WordEncoder, WordOptions
from vsebench.core.registry import TEXT_ENCODERS
from vsebench.core.types import TokenIds, Tokens
from vsebench.ops.masking import masked_mean


@TEXT_ENCODERS.register("mean_words", source="standard baseline; Wieting et al. 2016, arXiv:1511.08198")
class MeanWords(WordEncoder):
    """Average the word vectors of a text.

        token = mean_t e(w_t)

    Args:
        vocabulary: words of the training split (wired).
        words: how words become vectors; its fields are options.

    Shape: Words (B, N) -> Tokens (B, 1, dim_word); an empty text has no real token.

    Raises: ConfigError if ``dim_word`` differs from the file's, or vectors are frozen without a file; DataError for an
    unreadable file.

    Example:
        >>> from vsebench.data.vocabulary import Vocabulary
        >>> MeanWords(Vocabulary.build(["a red hat"]), dim_word=4).dim_out
        4
    """

    def __init__(self, vocabulary: Any, *, words: WordOptions = WordOptions()) -> None:
        super().__init__(vocabulary, words)

    def forward(self, words: TokenIds) -> Tokens:
        """Encode."""
        return Tokens(masked_mean(self.embed(words), words.mask)[:, None], words.mask.any(1, keepdim=True))
