"""Word vectors as tokens."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Gt, Le

from vsebench.components.text_encoder._words import WordEncoder
from vsebench.core.registry import TEXT_ENCODERS
from vsebench.core.types import Tokens, Words


@TEXT_ENCODERS.register("word_vectors", source="VSE, section 4.1: GloVe and FastText; Pennington et al. 2014")
class WordVectorTokens(WordEncoder):
    """Give every word its vector, whatever stands around it.

        token_t = e(w_t)

    Args:
        vocabulary: words of the training split (wired).
        dim_word: size of a word vector; the file's with ``vectors``, else 300.
        vectors: file of GloVe, word2vec or FastText vectors (text, ``.gz`` or ``.bin``), or ``embedded``: those of the
            words of rendered scenes, which ship with the package; random without it.
        freeze_vectors: keep the file's vectors as they are.
        min_count: rarer words become the unknown word.
        max_length: words after it are cut.
        dropout: rate in [0, 0.95) on the word vectors.

    Shape: Words (B, N) -> Tokens (B, N, dim_word).

    Raises: ConfigError if ``dim_word`` differs from the file's, or vectors are frozen without a file; DataError for an
    unreadable file.

    Example:
        >>> from vsebench.data.vocabulary import Vocabulary
        >>> WordVectorTokens(Vocabulary.build(["a red hat"]), dim_word=4).dim_out
        4
    """

    def __init__(
        self,
        vocabulary: Any,
        *,
        dim_word: Annotated[int, Gt(0)] | None = None,
        vectors: str | None = None,
        freeze_vectors: bool = False,
        min_count: Annotated[int, Gt(0)] = 1,
        max_length: Annotated[int, Gt(0)] = 64,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
    ) -> None:
        super().__init__(
            vocabulary,
            dim_word=dim_word,
            vectors=vectors,
            freeze_vectors=freeze_vectors,
            min_count=min_count,
            max_length=max_length,
            dropout=dropout,
        )

    def forward(self, words: Words) -> Tokens:
        """Encode."""
        return Tokens(self.embed(words), words.mask)
