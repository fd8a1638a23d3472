"""A transformer's mean state beside a bag of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Le
from torch import nn

from vsebench.components.encoder._local import ModelOrFolder
from vsebench.components.text_encoder.base import TextEncoder
from vsebench.components.text_encoder.bert import Bert
from vsebench.components.text_encoder.bow import BagOfWords, weigh
from vsebench.core.registry import TEXT_ENCODERS
from vsebench.core.types import TokenIds, Tokens
from vsebench.ops.masking import masked_mean


@TEXT_ENCODERS.register("bert_bow", source="dense and sparse features side by side: Karpukhin et al. 2020, section 5")
class BertBagOfWords(ModelOrFolder, TextEncoder):
    """Put the mean of a frozen transformer's states beside the text's TF-IDF vector.

        token = [norm(mean_t h_t); scale · x / ‖x‖₂],  x as in ``bow``

    The mean knows meanings; the bag knows the training split's own words, such as brands. Both are fixed, so that the
    token is computed once.

    Args:
        vocabulary: words of the training split (wired).
        model: hub name or folder, as in ``bert``.
        revision: of a hub name, as in ``bert``.
        weighting: ``count``, ``binary`` or ``tfidf``.
        min_count: rarer words do not count in the bag.
        max_length: the transformer's tokens after it are cut.
        scale: of the bag's unit vector against the normalised mean, > 0.
        precision: ``bf16`` runs the transformer under autocast.
        dropout: rate in [0, 0.95) on the bag's entries; with it the token is computed anew at every step.

    Shape: Words (B, N) with a bag (B, V) -> Tokens (B, 1, hidden + V); an empty text keeps its token.

    Raises: ConfigError as ``bert`` does.

    Example:
        >>> BertBagOfWords(vocabulary, model="path/to/minilm").dim_out  # doctest: +SKIP
        1889
    """

    def __init__(
        self,
        vocabulary: Any,
        *,
        model: str = "bert-base-uncased",
        revision: str | None = None,
        weighting: Literal["count", "binary", "tfidf"] = "tfidf",
        min_count: Annotated[int, Gt(0)] = 1,
        max_length: Annotated[int, Gt(2)] = 64,
        scale: Annotated[float, Gt(0)] = 10.0,
        precision: Literal["fp32", "bf16"] = "fp32",
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
    ) -> None:
        super().__init__()
        self.bert = Bert(model=model, revision=revision, max_length=max_length, precision=precision)
        self.origin = self.bert.origin
        self.bow = BagOfWords(vocabulary, dim=None, weighting=weighting, min_count=min_count)
        self.scale = scale
        self.drop = nn.Dropout(dropout)
        self.tokenizer = _BothTokenizers(self.bert.tokenizer, self.bow)
        self.dim_out = self.bert.dim_out + self.bow.dim_out
        self.frozen = dropout == 0

    def forward(self, words: TokenIds) -> Tokens:
        """Encode."""
        if words.bag is None:
            raise ValueError("'bert_bow' needs the bag that its tokenizer makes")
        mean = masked_mean(self.bert(words).values, words.mask)
        token = torch.cat([F.layer_norm(mean, mean.shape[-1:]), self.scale * self.drop(words.bag)], -1)
        return Tokens(token[:, None], torch.ones(len(token), 1, dtype=torch.bool, device=token.device))


class _BothTokenizers:
    """The transformer's ids, and the bag of the same texts.

    Its idf is a copy that stays on the CPU, where texts are read, wherever the encoder goes.
    """

    def __init__(self, pieces: Any, bow: BagOfWords) -> None:
        self.pieces, self.words, self.weighting = pieces, bow.tokenizer, bow.weighting
        self.idf = bow.idf.detach().to("cpu", copy=True)
        self.digest = f"{pieces.digest}+{bow.tokenizer.digest}-{bow.weighting}"

    def __call__(self, texts: Sequence[str]) -> TokenIds:
        words: TokenIds = self.pieces(texts)
        return TokenIds(words.ids, words.mask, weigh(self.words(texts), self.idf, self.weighting))

    def truncated(self, texts: Sequence[str]) -> int:
        """Return the number of texts that lose pieces or words of the bag."""
        rest = [text for text in texts if not self.words.truncated([text])]
        return len(texts) - len(rest) + int(self.pieces.truncated(rest))

    def unknown(self, words: TokenIds) -> int:
        """Return the number of texts of whose words the transformer knows none."""
        return int(self.pieces.unknown(words))
