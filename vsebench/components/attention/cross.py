"""Cross-attention between image and text, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.attention._heads import MultiHead, attend, require_division
from vsebench.components.attention.base import Attention
from vsebench.core.registry import ATTENTIONS
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank


@ATTENTIONS.register(
    "cross", source="SA-CMR, step 3; methods 2", needs=("image", "text"), cross_modal=True, ordered=False
)
class Cross(Attention):
    """Let the words attend to the regions and the regions to the words, at once.

        H_m = T_m W_m + b_m                                                      m = image (v), text (t)
        C_t = softmax(H_t H_vᵀ / sqrt(d)) H_v,    C_v = softmax(H_v H_tᵀ / sqrt(d)) H_t
        project   Q, K, V = H W_Q + b_Q, H W_K, H W_V + b_V in h heads, then W_O; each direction has its own

    Differs from the source: it maps to one size before self-attention; ours does so here. Projections, heads and the
    residual H_m + C_m are optional and not in the source.

    Args:
        dims: size of each modality's tokens, D_m (wired).
        dim: d, the joint dimension (wired).
        project: whether queries, keys, values and the result have linear maps.
        heads: h; divides d. Without projections a head is a slice of the features.
        residual: whether a token is added to what it attended to.
        dropout: rate in [0, 0.95) on the attention weights.

    Shape: {m: (B, N_m, D_m)} -> image (B, N, d), text (B, M, d), others as they came; weights
    ``cross/text_to_image`` (B, h, M, N) and ``cross/image_to_text`` (B, h, N, M).

    Raises: ConfigError if ``heads`` does not divide ``dim``.

    Example:
        >>> Cross({"image": 6, "text": 5}, 8).dims_out
        {'image': 8, 'text': 8}
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim: int,
        *,
        project: bool = False,
        heads: Annotated[int, Gt(0)] = 1,
        residual: bool = False,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
    ) -> None:
        super().__init__()
        require_division("cross", heads, dim)
        self.heads, self.residual = heads, residual
        self.dims_out = {**dims, "image": dim, "text": dim}
        self.project = nn.ModuleDict({m: nn.Linear(dims[m], dim) for m in ("image", "text")})
        self.attention = nn.ModuleDict()
        if project:
            self.attention.update({m: MultiHead(dim, heads, dropout) for m in ("image", "text")})
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Mapping[str, Tokens], weights: dict[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Attend both ways."""
        hidden = {m: project(blank(tokens[m].values, tokens[m].mask)) for m, project in self.project.items()}
        result = dict(tokens)
        for modality, other in (("text", "image"), ("image", "text")):
            mask = tokens[other].mask
            if modality in self.attention:
                attended, results = self.attention[modality](hidden[modality], hidden[other], mask)
            else:
                attended, results = attend(
                    hidden[modality], hidden[other], hidden[other], mask, self.heads, self.dropout
                )
            result[modality] = tokens[modality].with_values(hidden[modality] + attended if self.residual else attended)
            if weights is not None:
                weights[f"cross/{modality}_to_{other}"] = results
        return result
