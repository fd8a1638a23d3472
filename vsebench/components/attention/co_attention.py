"""Co-attention: two streams of transformer blocks that exchange keys and values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.attention._blocks import Block
from vsebench.components.attention._heads import require_division
from vsebench.components.attention.base import Attention
from vsebench.core.registry import ATTENTIONS
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank

_STREAMS = (("image", "text"), ("text", "image"))


@ATTENTIONS.register(
    "co_attention",
    source="ViLBERT, Lu et al. 2019, arXiv:1908.02265, section 2.2",
    needs=("image", "text"),
    cross_modal=True,
    ordered=False,
)
class CoAttention(Attention):
    """Let image and text attend to each other, then each to itself, in transformer blocks, L times.

        X = T_image W_v + b_v,  Y = T_text W_t + b_t,  then L times
        X', Y' = Co(X, Y), Co(Y, X)         both read the other stream as it was before
        X, Y   = Self(X'), Self(Y')
        Co(X, Y): U = LN(X + MHA(queries X, keys and values Y)), LN(U + FFN(U));  Self(X) = Co(X, X)

    Differs from the source: both streams have the joint size d (there 1024 for the image, 768 for the text); a linear
    map of the tokens stands where the source has embeddings, and the text's own earlier blocks are the text encoder.

    Args:
        dims: size of each modality's tokens, D_m (wired).
        dim: d, the joint dimension (wired).
        layers: L, at least 1; the source has 6.
        heads: h; divides d.
        mlp_ratio: hidden size of the FFN as a multiple of d, > 0.
        dropout: rate in [0, 0.95) on the attention weights and after both halves of a block.

    Shape: {m: (B, N_m, D_m)} -> image (B, N, d), text (B, M, d), others as they came; weights
    ``co_attention/text_to_image/layer`` (B, h, M, N) and ``co_attention/image_to_text/layer`` (B, h, N, M).

    Raises: ConfigError if ``heads`` does not divide ``dim``.

    Example:
        >>> CoAttention({"image": 6, "text": 5}, 8).dims_out
        {'image': 8, 'text': 8}
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim: int,
        *,
        layers: Annotated[int, Gt(0)] = 2,
        heads: Annotated[int, Gt(0)] = 8,
        mlp_ratio: Annotated[float, Gt(0)] = 4.0,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.1,
    ) -> None:
        super().__init__()
        require_division("co_attention", heads, dim)
        self.dims_out = {**dims, "image": dim, "text": dim}
        self.project = nn.ModuleDict({m: nn.Linear(dims[m], dim) for m in ("image", "text")})

        def blocks() -> nn.ModuleList:
            return nn.ModuleList(
                Block(dim, heads, mlp_ratio=mlp_ratio, dropout=dropout, pre_norm=False) for _ in range(layers)
            )

        self.cross = nn.ModuleDict({m: blocks() for m in ("image", "text")})
        self.self_streams = nn.ModuleDict({m: blocks() for m in ("image", "text")})
        self.layers = layers

    def forward(self, tokens: Mapping[str, Tokens], weights: dict[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Exchange L times."""
        values = {m: project(blank(tokens[m].values, tokens[m].mask)) for m, project in self.project.items()}
        masks = {m: tokens[m].mask for m in self.project}
        for layer in range(self.layers):
            crossed = {}
            for modality, other in _STREAMS:
                block = self.cross[modality][layer]  # type: ignore[index]
                crossed[modality], attended = block(values[modality], masks[modality], values[other], masks[other])
                if weights is not None:
                    weights[f"co_attention/{modality}_to_{other}/{layer}"] = attended
            for modality, stack in self.self_streams.items():
                values[modality], _ = stack[layer](crossed[modality], masks[modality])  # type: ignore[index]
        return {**tokens, **{m: tokens[m].with_values(v) for m, v in values.items()}}
