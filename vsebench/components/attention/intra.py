"""Intra-attention: regions and words attend to each other in one set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.attention.base import Attention
from vsebench.core.errors import ConfigError
from vsebench.core.registry import ATTENTIONS
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank, masked_softmax
from vsebench.ops.positions import token_positions


@ATTENTIONS.register("intra", source="VSE, section 3.2.1; methods 6.4", cross_modal=True)
class Intra(Attention):
    """Attend jointly over the regions and words of an item, and keep the image's part.

        Z  = [V W_v + PE_2d + e_v ; T W_t + PE_1d + e_t]            (B, m + n, d)
        A  = softmax(Z W_Q (Z W_K)^T / sqrt(d / h)) Z W_V W_O        padding masked before the softmax
        V' = U_v + MLP(LN(U_v)),  U = Z + A,  MLP: d -> ratio · d -> d

    Differs from the source: it gives no shapes and no residuals; ours are those of a transformer block. The source
    returns the visual vectors only (``outputs: image``, the text tokens pass through); ``outputs: all`` returns every
    modality's part. One modality alone is plain self-attention.

    Args:
        dims: size of each modality's tokens, D_m (wired).
        dim: d, the joint dimension (wired).
        heads: h, number of heads; divides d.
        mlp_ratio: hidden size of the MLP as a multiple of d, > 0.
        dropout: rate in [0, 0.95) on the attention weights and after the MLP.
        outputs: ``image`` or ``all``.

    Shape: {m: (B, N_m, D_m)} -> image (B, N, d); other modalities as they came, or (B, N_m, d) with ``all``.

    Raises: ConfigError if ``heads`` does not divide ``dim``.

    Example:
        >>> Intra({"image": 6, "text": 5}, 8, heads=2).dims_out
        {'image': 8, 'text': 5}
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim: int,
        *,
        heads: Annotated[int, Gt(0)] = 8,
        mlp_ratio: Annotated[float, Gt(0)] = 2.0,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.1,
        outputs: Literal["image", "all"] = "image",
    ) -> None:
        super().__init__()
        if dim % heads:
            raise ConfigError(f"attention 'intra': heads ({heads}) must divide dim ({dim}).", path=("heads",))
        self.heads = heads
        # Without an image there is no visual part to keep: what is there is kept.
        modalities = [m for m in dims if outputs == "all" or m == "image" or "image" not in dims]
        self.modalities = tuple(modalities)
        self.dims_out = {m: dim if m in modalities else d for m, d in dims.items()}
        self.project = nn.ModuleDict({m: nn.Linear(d, dim) for m, d in dims.items()})
        self.kind = nn.ParameterDict({m: nn.Parameter(0.02 * torch.randn(dim)) for m in dims})
        self.norm = nn.LayerNorm(dim)
        self.query_key_value = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)
        hidden = max(1, round(mlp_ratio * dim))
        self.mlp = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim), nn.Dropout(dropout)
        )

    def forward(self, tokens: Mapping[str, Tokens], weights: dict[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Attend over the joint set."""
        parts = []
        for modality, project in self.project.items():
            current = tokens[modality]
            values = project(blank(current.values, current.mask))
            place = token_positions(values.shape[1], values.shape[2], current.grid, device=values.device)
            parts.append(values + place.to(values.dtype) + self.kind[modality])
        joint = torch.cat(parts, 1)  # (B, N, d)
        mask = torch.cat([tokens[m].mask for m in self.project], 1)  # (B, N)
        batch, count, dim = joint.shape
        split = self.query_key_value(self.norm(joint)).view(batch, count, 3, self.heads, dim // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # (B, h, N, d/h) each
        logits = query @ key.transpose(-1, -2) / (dim // self.heads) ** 0.5
        attention = masked_softmax(logits, mask[:, None, None, :])  # (B, h, N, N)
        if weights is not None:
            weights["intra"] = attention
        attended = (self.dropout(attention) @ value).transpose(1, 2).reshape(batch, count, dim)
        joint = joint + self.out(attended)
        result, start = {}, 0
        for modality in self.project:
            current = tokens[modality]
            length = current.values.shape[1]
            part = joint[:, start : start + length]
            start += length
            result[modality] = current.with_values(part + self.mlp(part)) if modality in self.modalities else current
        return result
