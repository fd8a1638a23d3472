"""GRU over words."""

from __future__ import annotations

from typing import Any

from torch import nn

from vsebench.components.text_encoder._words import RecurrentEncoder, RecurrentOptions, WordOptions
from vsebench.core.registry import TEXT_ENCODERS


@TEXT_ENCODERS.register("gru", source="Cho et al. 2014, arXiv:1406.1078; VSE++: Faghri et al. 2018, arXiv:1707.05612")
class GRU(RecurrentEncoder):
    """Read the words with a GRU.

        h_t = GRU(e(w_t), h_{t-1})

    Padding is never read. ``final`` is the state after the last real word.

    Args:
        vocabulary: words of the training split (wired).
        sizes: of the network; its fields are options.
        words: how words become vectors; its fields are options.

    Shape: Words (B, N) -> Tokens (B, N, H), final (B, H).

    Raises: ConfigError if ``dim_word`` differs from the file's, or vectors are frozen without a file; DataError for an
    unreadable file.

    Example:
        >>> from vsebench.data.vocabulary import Vocabulary
        >>> GRU(Vocabulary.build(["a red hat"]), dim_hidden=8, dim_word=4).dim_out
        8
    """

    def __init__(
        self,
        vocabulary: Any,
        *,
        sizes: RecurrentOptions = RecurrentOptions(),
        words: WordOptions = WordOptions(),
    ) -> None:
        super().__init__(vocabulary, words, nn.GRU, sizes)
