"""Inter-attention: the text gathers what earlier iterations saw of the image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from annotated_types import Gt
from torch import Tensor, nn

from vsebench.components.attention.base import Attention
from vsebench.core.registry import ATTENTIONS
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank, masked_mean, masked_softmax


@ATTENTIONS.register(
    "inter", source="VSE, section 3.2.2; methods 6.4", needs=("image", "text"), cross_modal=True, ordered=False
)
class Inter(Attention):
    """Attend to the visual vectors of all earlier iterations, with independent sigmoid gates.

        v⁰ = mean_n V_n,  t⁰ = mean_n T_n,  z_0 = [v⁰; t⁰]            for r = 1..R:
        κ_r = W_t z_{r-1},  a_i = σ(κ_r · W_k vⁱ / sqrt(d')),  i < r
        t̃ = Σ_i a_i vⁱ  (/ Σ_i a_i with ``normalize: sum``),  t ← LN(t + MLP(W_h t̃))
        vʳ = softmax_n(t · V_n / sqrt(d)) V_n,  z_r = [vʳ; t]

    Differs from the source: it fixes neither the number of iterations nor how a new visual vector arises; ours pools
    the regions with the enhanced text as the query.

    Args:
        dims: size of each modality's tokens, D_m (wired).
        dim: d, the joint dimension (wired).
        iterations: R, at least 1.
        dim_key: d', size of the lower-dimensional space; default d / 4.
        normalize: ``none`` (the source's weighted sum) or ``sum``.

    Shape: {m: (B, N_m, D_m)} -> image: vᴿ as one token (B, 1, d); text: the enhanced concept t as one token
    (B, 1, d); other modalities as they came.

    Example:
        >>> Inter({"image": 6, "text": 5}, 8).dims_out
        {'image': 8, 'text': 8}
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim: int,
        *,
        iterations: Annotated[int, Gt(0)] = 3,
        dim_key: Annotated[int, Gt(0)] | None = None,
        normalize: Literal["none", "sum"] = "none",
    ) -> None:
        super().__init__()
        dim_key = dim_key or max(1, dim // 4)
        self.iterations, self.normalize = iterations, normalize
        self.dims_out = {**dims, "image": dim, "text": dim}
        self.image = nn.Linear(dims["image"], dim)
        self.text = nn.Linear(dims["text"], dim)
        self.query = nn.Linear(2 * dim, dim_key)
        self.key = nn.Linear(dim, dim_key)
        self.concept = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens: Mapping[str, Tokens], weights: dict[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Iterate R times."""
        image, text = tokens["image"], tokens["text"]
        regions = self.image(blank(image.values, image.mask))  # (B, m, d)
        visual = [masked_mean(regions, image.mask)]
        words = masked_mean(self.text(blank(text.values, text.mask)), text.mask)  # (B, d)
        for step in range(self.iterations):
            query = self.query(torch.cat([visual[-1], words], -1))  # (B, d')
            memory = torch.stack(visual, 1)  # (B, r, d)
            gates = torch.sigmoid((self.key(memory) @ query[:, :, None]).squeeze(-1) / query.shape[-1] ** 0.5)  # (B, r)
            gathered = (gates[:, :, None] * memory).sum(1)
            if self.normalize == "sum":
                gathered = gathered / gates.sum(1, keepdim=True)
            words = self.norm(words + self.mlp(self.concept(gathered)))
            logits = (regions @ words[:, :, None]).squeeze(-1) / regions.shape[-1] ** 0.5  # (B, m)
            attention = masked_softmax(logits, image.mask)
            visual.append((attention[:, :, None] * regions).sum(1))
            if weights is not None:
                weights[f"inter/gates/{step}"] = gates
                weights[f"inter/regions/{step}"] = attention
        one = torch.ones(len(words), 1, dtype=torch.bool, device=words.device)
        return {**tokens, "image": Tokens(visual[-1][:, None], one), "text": Tokens(words[:, None], one)}
