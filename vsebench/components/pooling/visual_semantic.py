"""Visual-semantic attention pooling: the image selects from the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.pooling.base import Pooling
from vsebench.core.errors import ConfigError
from vsebench.core.registry import POOLINGS
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank, masked_mean, masked_softmax


@POOLINGS.register(
    "visual_semantic",
    source="VSE, section 3.3.2; methods 6.4",
    needs=("image", "text"),
    cross_modal=True,
    ordered=False,
)
class VisualSemantic(Pooling):
    """Pool a modality by cross-attention from another one.

        Q = V W_Q,  K = T W_K,  X = T W_V;  A = softmax(Q K^T / sqrt(D / h)) X W_O, padded words masked
        t_pool = mean over real regions of LN(A),  D = size of T's tokens

    The source has the regions as queries "or v", their mean: ``queries: mean`` is that one query. Where most regions
    show no object, it is learned far sooner, because their queries do not outweigh the object's.

    The selecting modality has nothing to be selected by and is mean-pooled.

    Args:
        modality: the one that is pooled (wired).
        dim: D, size of its tokens (wired).
        context: size of the other modalities' tokens (wired).
        by: the modality that selects.
        queries: what of it selects: each of its ``tokens``, or their ``mean``.
        heads: h; divides D.
        dropout: rate in [0, 0.95) on the attention weights.

    Shape: Tokens (B, N, D), {by: Tokens (B, M, D_by)} -> (B, D).

    Raises: ConfigError if ``heads`` does not divide D, or the selecting modality is absent.

    Example:
        >>> VisualSemantic("text", 8, {"image": 6}).dim_out
        8
    """

    def __init__(
        self,
        modality: str,
        dim: int,
        context: Mapping[str, int],
        *,
        by: Literal["image", "text", "audio"] = "image",
        queries: Literal["tokens", "mean"] = "tokens",
        heads: Annotated[int, Gt(0)] = 4,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
    ) -> None:
        super().__init__()
        self.dim_out, self.by, self.heads, self.queries = dim, by, heads, queries
        self.selects = modality == by
        if self.selects:
            return
        if by not in context:
            raise ConfigError(f"pooling 'visual_semantic': the system has no {by} to select by.", path=("by",))
        if dim % heads:
            raise ConfigError(
                f"pooling 'visual_semantic': heads ({heads}) must divide the tokens' size ({dim}).", path=("heads",)
            )
        self.query = nn.Linear(context[by], dim)
        self.key = nn.Linear(dim, dim, bias=False)  # the softmax over words would not see a bias
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tokens, context: Mapping[str, Tokens] | None = None) -> Tensor:
        """Pool."""
        if self.selects:
            return masked_mean(tokens.values, tokens.mask)
        if context is None or self.by not in context:
            raise ValueError(f"pooling 'visual_semantic' needs the tokens of '{self.by}' as context")
        regions, words = context[self.by], blank(tokens.values, tokens.mask)
        selecting, real = blank(regions.values, regions.mask), regions.mask
        if self.queries == "mean":
            selecting, real = masked_mean(selecting, real)[:, None], real.any(1, keepdim=True)
        query, key = self._split(self.query(selecting)), self._split(self.key(words))
        value = self._split(self.value(words))
        logits = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5  # (B, h, M, N)
        weights = self.dropout(masked_softmax(logits, tokens.mask[:, None, None, :]))
        attended = (weights @ value).transpose(1, 2).flatten(2)  # (B, M, D)
        pooled = masked_mean(self.norm(self.out(attended)), real)
        return pooled.masked_fill(~tokens.mask.any(1, keepdim=True), 0.0)

    def _split(self, values: Tensor) -> Tensor:
        split: Tensor = values.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, h, N, D/h)
        return split
