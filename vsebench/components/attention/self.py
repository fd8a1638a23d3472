"""Self-attention within each modality."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from vsebench.components.attention._blocks import SelfStack, StackOptions
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
        stack: of self-attention; its fields are options.

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
        stack: StackOptions = StackOptions(),
    ) -> None:
        super().__init__()
        require_division("self", stack.heads, dim)
        self.dims_out = dict.fromkeys(dims, dim)
        self.stacks = nn.ModuleDict()
        for modality, size in dims.items():
            self.stacks[modality] = SelfStack(size, dim, stack)

    def forward(self, tokens: Mapping[str, Tokens], weights: dict[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Attend within each modality."""
        result = {}
        for modality, layers in self.stacks.items():
            result[modality] = layers.named(tokens[modality], modality, weights)  # type: ignore[operator]
        return result
