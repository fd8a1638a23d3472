"""Word embeddings and recurrent networks that several text encoders share."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from vsebench.components.encoder._recurrent import join_directions, run_recurrent
from vsebench.components.text_encoder.base import TextEncoder
from vsebench.core.errors import ConfigError
from vsebench.core.shipped import EMBEDDED, VECTORS
from vsebench.core.types import Tokens, Words
from vsebench.ops.freezing import freeze
from vsebench.ops.word_vectors import SCALE, load_vectors


class WordEncoder(TextEncoder):
    """An encoder over a vocabulary's words: tokenizer, embedding table, dropout.

    Args:
        vocabulary: the training split's words.
        dim_word: size of a word vector.
        vectors: file of pretrained vectors (text, ``.gz`` or ``.bin``), ``embedded`` for those that ship with the
            package, or None for random ones.
        freeze_vectors: keep them as they are.
        min_count: rarer words become the unknown word.
        max_length: words after it are cut.
        dropout: rate on the word vectors.
    """

    def __init__(
        self,
        vocabulary: Any,
        *,
        dim_word: int | None,
        vectors: str | None,
        freeze_vectors: bool,
        min_count: int,
        max_length: int,
        dropout: float,
    ) -> None:
        super().__init__()
        if vocabulary is None:
            raise ValueError("a word encoder needs a vocabulary")
        if freeze_vectors and vectors is None:
            raise ConfigError("freeze_vectors needs 'vectors'; random vectors must train.", path=("freeze_vectors",))
        vocabulary = vocabulary.restrict(min_count)
        self.tokenizer = vocabulary.tokenizer(max_length)
        self._report: dict[str, float | int] = {}
        table = torch.zeros(len(vocabulary), dim_word or 300)
        if vectors is not None:
            loaded = load_vectors(VECTORS if vectors == EMBEDDED else vectors, vocabulary.words)
            found = int(loaded.values.shape[1])
            if dim_word is not None and dim_word != found:
                raise ConfigError(f"dim_word ({dim_word}) differs from the file's {found}.", path=("dim_word",))
            if len(loaded.found) and not loaded.coverage:
                raise ConfigError(
                    f"vectors '{vectors}' have none of the training split's {len(loaded.found):,} words, such as "
                    f"'{vocabulary.words[0]}': every vector would be random. Is it a file of another language, or of "
                    "words in another form?",
                    path=("vectors",),
                )
            table = torch.zeros(len(vocabulary), found)
            table[2:] = torch.from_numpy(loaded.values)
            self._report = {
                "words": len(loaded.found),
                "found": int(loaded.found.sum()),
                "subword": int(loaded.subword.sum()),
                "random": int((~(loaded.found | loaded.subword)).sum()),
                "coverage": loaded.coverage,
            }
        else:
            table[2:] = SCALE * torch.randn(len(vocabulary) - 2, table.shape[1])
        self.dim_word = int(table.shape[1])
        self.embedding = nn.Embedding(len(vocabulary), self.dim_word, padding_idx=0)
        with torch.no_grad():
            self.embedding.weight.copy_(table)
        if freeze_vectors:
            freeze([self.embedding])
        self.drop = nn.Dropout(dropout)
        self.frozen = False
        self.dim_out = self.dim_word

    def vector_report(self) -> dict[str, float | int]:
        """Where the words' vectors come from; empty without a file of pretrained vectors.

        ``words`` = ``found`` (listed in the file) + ``subword`` (mean of the file's n-grams) + ``random``; ``coverage``
        is the share of the first two, in [0, 1]. Padding and the unknown word do not count.
        """
        return dict(self._report)

    def embed(self, words: Words) -> Tensor:
        """Word vectors, zeros at padding. Shape: (B, N) -> (B, N, dim_word)."""
        vectors: Tensor = self.drop(self.embedding(words.ids))
        return vectors.masked_fill(~words.mask[:, :, None], 0.0)


class RecurrentEncoder(WordEncoder):
    """A recurrent network over the words.

    Attributes:
        network: set by the subclass.
        merge: how the directions of a bidirectional network are joined.
    """

    network: nn.RNNBase
    merge: Literal["concat", "sum", "mean"] = "concat"

    def forward(self, words: Words) -> Tokens:
        """Encode. ``final`` is the state after the last real word and, backwards, after the first."""
        values, final = run_recurrent(self.network, self.embed(words), words.mask)
        values, final = (join_directions(states, self.merge) for states in (values, final))
        values = values.masked_fill(~words.mask[:, :, None], 0.0)
        return Tokens(values, words.mask, final.masked_fill(~words.mask.any(1, keepdim=True), 0.0))
