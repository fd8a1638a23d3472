"""Bidirectional GRU over words."""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from vsebench.components.text_encoder._words import RecurrentEncoder, RecurrentOptions, WordOptions
from vsebench.core.registry import TEXT_ENCODERS


@TEXT_ENCODERS.register("bigru", source="Cho et al. 2014, arXiv:1406.1078; SCAN: Lee et al. 2018, arXiv:1803.08024")
class BiGRU(RecurrentEncoder):
    """Read the words with a bidirectional GRU.

        h_t = ½ (GRU_f(e(w_t), h_{t-1}) + GRU_b(e(w_t), h_{t+1}))

    Padding is never read. ``final`` is the state after the last real word and, backwards, after the first.

    Args:
        vocabulary: words of the training split (wired).
        sizes: of the network; its fields are options.
        merge: join the directions by their ``mean`` (SCAN, VSE∞) or ``concat`` (2·H).
        words: how words become vectors; its fields are options.

    Shape: Words (B, N) -> Tokens (B, N, H), final (B, H); 2·H with ``concat``.

    Raises: ConfigError if ``dim_word`` differs from the file's, or vectors are frozen without a file; DataError for an
    unreadable file.

    Example:
        >>> from vsebench.data.vocabulary import Vocabulary
        >>> BiGRU(Vocabulary.build(["a red hat"]), dim_hidden=8, dim_word=4).dim_out
        8
    """

    def __init__(
        self,
        vocabulary: Any,
        *,
        sizes: RecurrentOptions = RecurrentOptions(),
        merge: Literal["mean", "concat"] = "mean",
        words: WordOptions = WordOptions(),
    ) -> None:
        super().__init__(vocabulary, words, nn.GRU, sizes, merge)
