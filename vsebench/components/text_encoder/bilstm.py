"""Bidirectional LSTM over words."""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from vsebench.components.text_encoder._words import RecurrentEncoder, RecurrentOptions, WordOptions
from vsebench.core.registry import TEXT_ENCODERS


@TEXT_ENCODERS.register(
    "bilstm", source="Graves and Schmidhuber 2005; DAN: Nam et al. 2017, arXiv:1611.00471", version=2
)
class BiLSTM(RecurrentEncoder):
    """Read the words with a bidirectional LSTM.

        h_t = [LSTM_f(e(w_t), h_{t-1}); LSTM_b(e(w_t), h_{t+1})]

    Padding is never read. ``final`` is the state after the last real word and, backwards, after the first.

    Args:
        vocabulary: words of the training split (wired).
        sizes: of the network; its fields are options.
        merge: join the directions by ``concat`` (2·H), ``sum`` (DAN) or ``mean`` (SCAN).
        words: how words become vectors; its fields are options.

    Shape: Words (B, N) -> Tokens (B, N, 2·H), final (B, 2·H); H with ``sum`` and ``mean``.

    Raises: ConfigError if ``dim_word`` differs from the file's, or vectors are frozen without a file; DataError for an
    unreadable file.

    Example:
        >>> from vsebench.data.vocabulary import Vocabulary
        >>> BiLSTM(Vocabulary.build(["a red hat"]), dim_hidden=8, dim_word=4).dim_out
        16
    """

    def __init__(
        self,
        vocabulary: Any,
        *,
        sizes: RecurrentOptions = RecurrentOptions(),
        merge: Literal["concat", "sum", "mean"] = "concat",
        words: WordOptions = WordOptions(),
    ) -> None:
        super().__init__(vocabulary, words, nn.LSTM, sizes, merge)
