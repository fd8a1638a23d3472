"""Scaled dot-product attention between image and text, without projections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn

from vsebench.components.attention._heads import attend
from vsebench.components.attention.base import Attention
from vsebench.core.registry import ATTENTIONS
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank


@ATTENTIONS.register(
    "scaled_dot",
    source="cross-modal retrieval, section 4.2; methods 2",
    needs=("image", "text"),
    cross_modal=True,
    ordered=False,
)
class ScaledDot(Attention):
    """Replace each query token by the mean of the other modality's tokens, weighted by their scaled dot products.

        q <- Σ_j α_j c_j,  α = softmax_j(q · c_j / sqrt(D))        keys = values = c, padding masked before the softmax

    Without parameters where both modalities' tokens have one size D. The source needs that; where sizes differ, a
    linear map of each to the joint dimension comes first, and D is d.

    Args:
        dims: size of each modality's tokens, D_m (wired).
        dim: d, the joint dimension (wired).
        queries: whose tokens attend to the other's: ``both``, ``text`` or ``image``; the other one is the context and
            keeps its tokens.

    Shape: {m: (B, N_m, D_m)} -> query modalities (B, N_m, D), others as they came; weights
    ``scaled_dot/text_to_image`` (B, 1, M, N) and ``scaled_dot/image_to_text`` (B, 1, N, M).

    Example:
        >>> ScaledDot({"image": 6, "text": 6}, 8).dims_out, ScaledDot({"image": 6, "text": 5}, 8).dims_out
        ({'image': 6, 'text': 6}, {'image': 8, 'text': 8})
    """

    def __init__(
        self, dims: Mapping[str, int], dim: int, *, queries: Literal["both", "text", "image"] = "both"
    ) -> None:
        super().__init__()
        self.queries = ("text", "image") if queries == "both" else (queries,)
        self.project = nn.ModuleDict()
        if dims["image"] != dims["text"]:
            self.project.update({m: nn.Linear(dims[m], dim) for m in ("image", "text")})
        size = dim if len(self.project) else dims["image"]
        self.dims_out = {m: size if m in self.queries else d for m, d in dims.items()}

    def forward(self, tokens: Mapping[str, Tokens], weights: dict[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Attend."""
        values = {m: blank(tokens[m].values, tokens[m].mask) for m in ("image", "text")}
        values |= {m: project(values[m]) for m, project in self.project.items()}
        result = dict(tokens)
        for modality in self.queries:
            other = "image" if modality == "text" else "text"
            attended, results = attend(values[modality], values[other], values[other], tokens[other].mask)
            result[modality] = tokens[modality].with_values(attended)
            if weights is not None:
                weights[f"scaled_dot/{modality}_to_{other}"] = results
        return result
