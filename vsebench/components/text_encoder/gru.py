"""GRU over words."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Gt, Le
from torch import nn

from vsebench.components.text_encoder._words import RecurrentEncoder
from vsebench.core.registry import TEXT_ENCODERS


@TEXT_ENCODERS.register("gru", source="Cho et al. 2014, arXiv:1406.1078; VSE++: Faghri et al. 2018, arXiv:1707.05612")
class GRU(RecurrentEncoder):
    """Read the words with a GRU.

        h_t = GRU(e(w_t), h_{t-1})

    Padding is never read. ``final`` is the state after the last real word.

    Args:
        vocabulary: words of the training split (wired).
        dim_hidden: H, size of a state, > 0.
        layers: stacked layers, > 0.
        dim_word: size of a word vector; the file's with ``vectors``, else 300.
        vectors: file of GloVe, word2vec or FastText vectors (text, ``.gz`` or ``.bin``), or ``embedded``: those of the
            words of rendered scenes, which ship with the package; random without it.
        freeze_vectors: keep the file's vectors as they are.
        min_count: rarer words become the unknown word.
        max_length: words after it are cut.
        dropout: rate in [0, 0.95) on the word vectors.

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
        dim_hidden: Annotated[int, Gt(0)] = 512,
        layers: Annotated[int, Gt(0)] = 1,
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
        between = dropout if layers > 1 else 0.0
        self.network = nn.GRU(self.dim_word, dim_hidden, layers, batch_first=True, dropout=between)
        self.dim_out = dim_hidden
