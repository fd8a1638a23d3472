"""Self-attention within each modality, then cross-attention between image and text: the pair form of SA-CMR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import Tensor

from vsebench.components.attention._blocks import StackOptions
from vsebench.components.attention._heads import require_division
from vsebench.components.attention._self_then import SelfThen
from vsebench.core.registry import ATTENTIONS
from vsebench.core.types import Tokens


@ATTENTIONS.register(
    "self_cross", source="SA-CMR, steps 2 and 3; methods 6.5, mode pair", needs=("image", "text"), cross_modal=True
)
class SelfCross(SelfThen):
    """Attend within each modality, then between them, and combine both results.

        H_m = L transformer blocks of T_m W_m + b_m  (+ PE)                         m = image (v), text (t)
        C_t = softmax(H_t H_vᵀ / sqrt(d)) H_v,    C_v = softmax(H_v H_tᵀ / sqrt(d)) H_t
        G_m = W [H_m; C_m] + b   (concat), or H_m + C_m (add), or g ⊙ H_m + (1 - g) ⊙ C_m (gated)

    The source stores image vectors that have seen their caption, which no gallery has. What is ranked here is computed
    from one modality alone (see ``vsebench.engine.model``); ``self_memory`` is the form whose own result can be stored.

    Differs from the source: projections, heads and positions are optional and not in it; it names all three ways to
    combine and fixes none.

    Args:
        dims: size of each modality's tokens, D_m (wired).
        dim: d, the joint dimension (wired).
        stack: of self-attention; its fields are options.
        project: whether cross-attention has linear maps for queries, keys, values and the result.
        combine: ``concat``, ``add`` or ``gated``.

    Shape: {m: (B, N_m, D_m)} -> image (B, N, d), text (B, M, d), others as they came; weights ``self/m/layer``
    (B, h, N_m, N_m), ``cross/text_to_image`` (B, h', M, N) and ``cross/image_to_text`` (B, h', N, M), h' = 1 without
    ``project``.

    Raises: ConfigError if ``heads`` does not divide ``dim``.

    Example:
        >>> SelfCross({"image": 6, "text": 5}, 8).dims_out
        {'image': 8, 'text': 8}
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim: int,
        *,
        stack: StackOptions = StackOptions(),
        project: bool = False,
        combine: Literal["concat", "add", "gated"] = "concat",
    ) -> None:
        require_division("self_cross", stack.heads, dim)
        super().__init__(
            {m: dims[m] for m in ("image", "text")},
            dim,
            stack=stack,
            project=project,
            combine=combine,
        )
        self.dims_out = {**dims, "image": dim, "text": dim}

    def forward(self, tokens: Mapping[str, Tokens], weights: dict[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Attend within, then between."""
        hidden = {modality: self.within(modality, tokens[modality], weights) for modality in self.stacks}
        result = dict(tokens)
        for query_modality, other in (("text", "image"), ("image", "text")):
            result[query_modality], cross = self.then(
                query_modality, hidden[query_modality], hidden[other].values, hidden[other].mask
            )
            if weights is not None:
                weights[f"cross/{query_modality}_to_{other}"] = cross
        return result
