"""LSTM over words."""

from __future__ import annotations

from typing import Any

from torch import nn

from vsebench.components.text_encoder._words import RecurrentEncoder, RecurrentOptions, WordOptions
from vsebench.core.registry import TEXT_ENCODERS


@TEXT_ENCODERS.register("lstm", source="Hochreiter and Schmidhuber 1997; VSE, section 2", version=2)
class LSTM(RecurrentEncoder):
    """Read the words with an LSTM.

        h_t, c_t = LSTM(e(w_t), h_{t-1}, c_{t-1})

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
        >>> LSTM(Vocabulary.build(["a red hat"]), dim_hidden=8, dim_word=4).dim_out
        8
    """

    def __init__(
        self,
        vocabulary: Any,
        *,
        sizes: RecurrentOptions = RecurrentOptions(),
        words: WordOptions = WordOptions(),
    ) -> None:
        super().__init__(vocabulary, words, nn.LSTM, sizes)
