"""Self-attention within each modality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.attention._blocks import SelfStack
from vsebench.components.attention._heads import require_division
from vsebench.components.attention.base import Attention
from vsebench.core.registry import ATTENTIONS
from vsebench.core.types import Tokens


@ATTENTIONS.register("self", source="SA-CMR, step 2; Vaswani et al. 2017, arXiv:1706.03762; methods 2")
class SelfAttention(Attention):
    """Let each modality's tokens attend to each other, in several heads.

        X = T W_m + b_m  (+ PE),  then L times
        A(X) = concat_h softmax(X W_Q^h (X W_K^h)ᵀ / sqrt(d / h)) X W_V^h · W_O        padding masked before the softmax
        bare         X <- A(X)
        transformer  U = X + A(LN X),  X <- U + FFN(LN U),  FFN: d -> ratio · d -> d, GELU

    Differs from the source: it writes A only (``block: bare``); the transformer block around it is the usual one, with
    the normalisation first. It maps the modalities to one size; ours does so before the first block.

    Args:
        dims: size of each modality's tokens, D_m (wired).
        dim: d, the joint dimension (wired).
        block: ``bare`` or ``transformer``.
        layers: L, at least 1.
        heads: h; divides d.
        mlp_ratio: hidden size of the FFN as a multiple of d, > 0.
        dropout: rate in [0, 0.95) on the attention weights and, in a transformer block, after both of its halves.
        positions: whether sine/cosine positions are added, two-dimensional ones on a grid; the source adds none.

    Shape: {m: (B, N_m, D_m)} -> {m: (B, N_m, d)}; weights ``self/m/layer`` (B, h, N_m, N_m).

    Raises: ConfigError if ``heads`` does not divide ``dim``.

    Example:
        >>> SelfAttention({"image": 6, "text": 5}, 8, heads=2).dims_out
        {'image': 8, 'text': 8}
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim: int,
        *,
        block: Literal["bare", "transformer"] = "transformer",
        layers: Annotated[int, Gt(0)] = 1,
        heads: Annotated[int, Gt(0)] = 8,
        mlp_ratio: Annotated[float, Gt(0)] = 4.0,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.1,
        positions: bool = False,
    ) -> None:
        super().__init__()
        require_division("self", heads, dim)
        self.dims_out = dict.fromkeys(dims, dim)
        self.stacks = nn.ModuleDict()
        for modality, size in dims.items():
            self.stacks[modality] = SelfStack(
                size,
                dim,
                layers=layers,
                heads=heads,
                mlp_ratio=mlp_ratio,
                dropout=dropout,
                block=block,
                positions=positions,
            )

    def forward(self, tokens: Mapping[str, Tokens], weights: dict[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Attend within each modality."""
        result = {}
        for modality, stack in self.stacks.items():
            result[modality] = stack.named(tokens[modality], modality, weights)  # type: ignore[operator]
        return result
