"""Bag of words."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.text_encoder.base import TextEncoder
from vsebench.core.registry import TEXT_ENCODERS
from vsebench.core.types import TokenIds, Tokens


@TEXT_ENCODERS.register("bow", source="Salton and Buckley 1988; methods 1.1; TF-IDF as in scikit-learn (smoothed)")
class BagOfWords(TextEncoder):
    """Count the words of a text, weigh, normalise and project: the sparse baseline.

        x_w = count of w (or 1), times idf_w = ln((1 + n) / (1 + df_w)) + 1;  token = W x / ‖x‖₂ + b

    Words that training never saw do not count. Every text is divided by its norm, so that dividing the counts by the
    text's length first (term frequency) changes nothing.

    Args:
        vocabulary: words of the training split with their document counts (wired).
        dim: size of the token, > 0; null for the vector x / ‖x‖₂ itself, of the vocabulary's size, without parameters.
        weighting: ``count``, ``binary`` or ``tfidf``.
        min_count: rarer words do not count.
        max_length: words after it are cut.
        stop_words: ``english`` leaves scikit-learn's list of 318 words out, ``none`` counts every word.
        dropout: rate in [0, 0.95) on the entries of x, before the projection.

    Shape: Words (B, N) -> Tokens (B, 1, dim); an empty text has no real token.

    Example:
        >>> from vsebench.data.vocabulary import Vocabulary
        >>> BagOfWords(Vocabulary.build(["a red hat"]), dim=8).dim_out
        8
    """

    idf: Tensor

    def __init__(
        self,
        vocabulary: Any,
        *,
        dim: Annotated[int, Gt(0)] | None = 512,
        weighting: Literal["count", "binary", "tfidf"] = "tfidf",
        min_count: Annotated[int, Gt(0)] = 1,
        max_length: Annotated[int, Gt(0)] = 256,
        stop_words: Literal["none", "english"] = "none",
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
    ) -> None:
        super().__init__()
        if vocabulary is None:
            raise ValueError("a word encoder needs a vocabulary")
        vocabulary = vocabulary.restrict(min_count)
        if stop_words == "english":
            from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

            vocabulary = vocabulary.without(ENGLISH_STOP_WORDS)
        self.tokenizer = vocabulary.tokenizer(max_length)
        self.weighting = weighting
        self.dim_out, self.frozen = dim or len(vocabulary), dim is None
        frequency = torch.tensor([0.0, 0.0, *vocabulary.document_counts])
        self.register_buffer("idf", ((1 + vocabulary.num_documents) / (1 + frequency)).log() + 1)
        self.drop = nn.Dropout(dropout)
        self.project = nn.Linear(len(vocabulary), dim) if dim else nn.Identity()

    def vector(self, words: TokenIds) -> Tensor:
        """Compute the weighted unit vector x / ‖x‖₂. Shape: (B, N) -> (B, V)."""
        return weigh(words, self.idf, self.weighting)

    def forward(self, words: TokenIds) -> Tokens:
        """Encode."""
        token = self.project(self.drop(self.vector(words)))
        return Tokens(token[:, None], words.mask.any(1, keepdim=True))


def weigh(words: TokenIds, idf: Tensor, weighting: str) -> Tensor:
    """Compute the weighted unit vectors of some texts, zeros for a text without known words.

    Shape: (B, N), idf (V,) -> (B, V), on the device of both.
    """
    counts = torch.zeros(len(words.ids), len(idf), device=words.ids.device)
    known = words.mask & (words.ids >= 2)
    counts.scatter_add_(1, words.ids, known.float())
    if weighting == "binary":
        counts = (counts > 0).float()
    if weighting == "tfidf":
        counts = counts * idf
    return F.normalize(counts, dim=-1, eps=1e-12)
