"""Additive attention between image and text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from annotated_types import Gt
from torch import Tensor, nn

from vsebench.components.attention.base import Attention
from vsebench.core.registry import ATTENTIONS
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank, masked_softmax


class _Direction(nn.Module):
    """One way of it. Shape: (B, N, D_q), context (B, M, D_c), mask (B, M) -> (B, N, D_c), weights (B, N, M)."""

    def __init__(self, dim_query: int, dim_context: int, hidden: int) -> None:
        super().__init__()
        self.query = nn.Linear(dim_query, hidden, bias=False)
        self.context = nn.Linear(dim_context, hidden, bias=False)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, queries: Tensor, context: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        joint = self.query(queries)[:, :, None] + self.context(context)[:, None]  # (B, N, M, a)
        weights = masked_softmax(self.score(joint.tanh()).squeeze(-1), mask[:, None, :])
        return weights @ context, weights


@ATTENTIONS.register(
    "additive",
    source="cross-modal retrieval, section 4.2; Bahdanau et al. 2015, arXiv:1409.0473; methods 2",
    needs=("image", "text"),
    cross_modal=True,
    ordered=False,
)
class Additive(Attention):
    """Replace each query token by the mean of the other modality's tokens, weighted by a small network.

        e_j = vᵀ tanh(W_q q + W_c c_j),  α = softmax_j(e),  q <- Σ_j α_j c_j        padding masked before the softmax

    Differs from the source: it has one query; ours has each token of the query modality, and no biases. Memory is
    B · N · M · a numbers per direction.

    Args:
        dims: size of each modality's tokens, D_m (wired).
        queries: whose tokens attend to the other's: ``both``, ``text`` or ``image``; the other one is the context and
            keeps its tokens.
        hidden: a, size of the network's hidden layer; default the size of a context token.

    Shape: {m: (B, N_m, D_m)} -> text (B, M, D_image), image (B, N, D_text), others as they came; weights
    ``additive/text_to_image`` (B, 1, M, N) and ``additive/image_to_text`` (B, 1, N, M).

    Example:
        >>> Additive({"image": 6, "text": 5}).dims_out
        {'image': 5, 'text': 6}
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        *,
        queries: Literal["both", "text", "image"] = "both",
        hidden: Annotated[int, Gt(0)] | None = None,
    ) -> None:
        super().__init__()
        self.dims_out = dict(dims)
        self.directions = nn.ModuleDict()
        for modality, other in (("text", "image"), ("image", "text")):
            if queries in ("both", modality):
                self.directions[modality] = _Direction(dims[modality], dims[other], hidden or dims[other])
                self.dims_out[modality] = dims[other]

    def forward(self, tokens: Mapping[str, Tokens], weights: dict[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Attend."""
        values = {m: blank(tokens[m].values, tokens[m].mask) for m in ("image", "text")}
        result = dict(tokens)
        for modality, direction in self.directions.items():
            other = "image" if modality == "text" else "text"
            attended, results = direction(values[modality], values[other], tokens[other].mask)
            result[modality] = tokens[modality].with_values(attended)
            if weights is not None:
                weights[f"additive/{modality}_to_{other}"] = results[:, None]
        return result
