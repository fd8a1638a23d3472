"""Multimodal bottleneck transformer (MBT)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.fusion.base import Fusion
from vsebench.core.errors import ConfigError
from vsebench.core.registry import FUSIONS
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank, masked_softmax
from vsebench.ops.positions import token_positions


class Layer(nn.Module):
    """One pre-norm transformer layer. Shape: (B, N, d), mask (B, N) -> (B, N, d)."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.mlp_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.query_key_value, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        hidden = max(1, round(mlp_ratio * dim))
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Attend and map."""
        batch, count, dim = values.shape
        split = self.query_key_value(self.norm(values)).view(batch, count, 3, self.heads, dim // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # (B, h, N, d/h) each
        logits = query @ key.transpose(-1, -2) / (dim // self.heads) ** 0.5
        attended = self.dropout(masked_softmax(logits, mask[:, None, None, :])) @ value
        values = values + self.dropout(self.out(attended.transpose(1, 2).reshape(batch, count, dim)))
        mapped: Tensor = values + self.dropout(self.mlp(self.mlp_norm(values)))
        return mapped


@FUSIONS.register("bottleneck", source="Nagrani et al. 2021, arXiv:2107.00135", needs_tokens=True)
class Bottleneck(Fusion):
    """Let the modalities speak to each other through a few shared tokens only.

        X_m⁰ = [c_m; T_m W_m + PE + e_m],  f⁰ learned, F tokens of size d
        [X_mˡ⁺¹; f_mˡ⁺¹] = Transformer_mˡ([X_mˡ; fˡ]),  fˡ⁺¹ = mean_m f_mˡ⁺¹          for l < L
        z = mean_m LN(c_mᴸ)

    c_m is the class token of a modality. The pooled vectors are not used, only the encoders' own tokens. Differs from
    the source: it averages the logits that one linear classifier gives to each c_m, which is the same as ours followed
    by ``head: linear``; its layers without fusion before are the encoders here; positions are sines, not learned; an
    item without a real token of a modality takes that modality's class token, which has then seen the others only.

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: d (wired).
        token_dims: size of each modality's tokens (wired).
        layers: L, layers with fusion, > 0 (the last 4 of 12 in the source).
        bottlenecks: F, number of shared tokens, > 0.
        heads: of the attention, > 0; divides d.
        mlp_ratio: hidden size of a layer's MLP as a multiple of d, > 0.
        dropout: rate in [0, 0.95] on the attention weights and after every block.

    Shape: {m: (B, D_m)}, {m: Tokens (B, N_m, D'_m)} -> (B, d).

    Raises: ConfigError if ``heads`` does not divide d.

    Example:
        >>> Bottleneck({"image": 4, "text": 3}, 8, {"image": 5, "text": 6}, heads=2).shared.shape
        torch.Size([4, 8])
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim_out: int,
        token_dims: Mapping[str, int],
        *,
        layers: Annotated[int, Gt(0)] = 4,
        bottlenecks: Annotated[int, Gt(0)] = 4,
        heads: Annotated[int, Gt(0)] = 8,
        mlp_ratio: Annotated[float, Gt(0)] = 4.0,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.1,
    ) -> None:
        super().__init__()
        if dim_out % heads:
            raise ConfigError(f"fusion 'bottleneck': heads ({heads}) must divide dim ({dim_out}).", path=("heads",))
        self.dim_out = dim_out
        self.project = nn.ModuleDict({m: nn.Linear(token_dims[m], dim_out) for m in dims})
        self.kind = nn.ParameterDict({m: nn.Parameter(0.02 * torch.randn(dim_out)) for m in dims})
        self.summary = nn.ParameterDict({m: nn.Parameter(0.02 * torch.randn(dim_out)) for m in dims})
        self.shared = nn.Parameter(0.02 * torch.randn(bottlenecks, dim_out))
        self.layers = nn.ModuleList(
            nn.ModuleDict({m: Layer(dim_out, heads, mlp_ratio, dropout) for m in dims}) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dim_out)

    def forward(self, vectors: Mapping[str, Tensor], tokens: Mapping[str, Tokens]) -> Tensor:  # type: ignore[override]
        """Fuse."""
        count = len(self.shared)
        states = {m: self._start(m, tokens[m]) for m in self.project}
        batch = len(next(iter(states.values())))
        shared = self.shared.expand(batch, -1, -1)
        always = torch.ones(batch, count, dtype=torch.bool, device=shared.device)
        # The shared tokens first: what stands after them may be of any length.
        masks = {m: torch.cat([always, always[:, :1], tokens[m].mask], 1) for m in states}
        for layer in self.layers:
            results = {}
            for modality, block in layer.items():  # type: ignore[operator]
                results[modality] = block(torch.cat([shared, states[modality]], 1), masks[modality])
                states[modality] = results[modality][:, count:]
            shared = torch.stack([values[:, :count] for values in results.values()]).mean(0)
        return torch.stack([self.norm(values[:, 0]) for values in states.values()]).mean(0)

    def _start(self, modality: str, tokens: Tokens) -> Tensor:
        """Return the class token and the projected tokens with their positions, (B, 1 + N, d)."""
        values = self.project[modality](blank(tokens.values, tokens.mask))
        place = token_positions(values.shape[1], values.shape[2], tokens.grid, device=values.device)
        values = values + place.to(values.dtype) + self.kind[modality]
        first = self.summary[modality].to(values.dtype).expand(len(values), 1, -1)
        return torch.cat([first, values], 1)
