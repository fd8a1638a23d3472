"""Word vectors as tokens."""

from __future__ import annotations

from typing import Any

from vsebench.components.text_encoder._words import WordEncoder, WordOptions
from vsebench.core.registry import TEXT_ENCODERS
from vsebench.core.types import TokenIds, Tokens


@TEXT_ENCODERS.register("word_vectors", source="VSE, section 4.1: GloVe and FastText; Pennington et al. 2014")
class WordVectorTokens(WordEncoder):
    """Give every word its vector, whatever stands around it.

        token_t = e(w_t)

    Args:
        vocabulary: words of the training split (wired).
        words: how words become vectors; its fields are options.

    Shape: Words (B, N) -> Tokens (B, N, dim_word).

    Raises: ConfigError if ``dim_word`` differs from the file's, or vectors are frozen without a file; DataError for an
    unreadable file.

    Example:
        >>> from vsebench.data.vocabulary import Vocabulary
        >>> WordVectorTokens(Vocabulary.build(["a red hat"]), dim_word=4).dim_out
        4
    """

    def __init__(self, vocabulary: Any, *, words: WordOptions = WordOptions()) -> None:
        super().__init__(vocabulary, words)

    def forward(self, words: TokenIds) -> Tokens:
        """Encode."""
        return Tokens(self.embed(words), words.mask)
