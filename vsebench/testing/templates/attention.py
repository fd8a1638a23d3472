"""Text of an attention and of its own test."""

from __future__ import annotations

MODULE = '''\
"""TITLE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
import vsebench as vb
from annotated_types import Ge
from torch import Tensor, nn


@vb.ATTENTIONS.register(
    "$name",
    source="where it comes from: a paper, a section, your notebook",
    cross_modal=True,  # one modality's tokens see another modality
    ordered=False,  # the order of the tokens does not matter
)
class $cls(vb.Attention):
    """Gate every token by the mean of all modalities.

        c   = Σ_m W_m mean_n x_n^m
        x'  = x + strength · x ⊙ σ(U_m c)

    Args:
        dims: size of each modality's tokens, D_m (wired).
        dim: d, size of the context (wired).
        strength: of the gates, ≥ 0; 0 changes nothing.

    Shape: {m: (B, N_m, D_m)} -> the same.

    Example:
        >>> $cls({"image": 6, "text": 5}, 8).dims_out
        {'image': 6, 'text': 5}
    """

    def __init__(self, dims: Mapping[str, int], dim: int, *, strength: Annotated[float, Ge(0)] = 1.0) -> None:
        super().__init__()
        self.dims_out, self.strength = dict(dims), strength
        self.read = nn.ModuleDict({m: nn.Linear(d, dim) for m, d in dims.items()})
        self.gate = nn.ModuleDict({m: nn.Linear(dim, d) for m, d in dims.items()})

    def forward(
        self, tokens: Mapping[str, vb.Tokens], weights: dict[str, Tensor] | None = None
    ) -> dict[str, vb.Tokens]:
        """Attend. When ``weights`` is a dict, the attention weights go into it by name."""
        read = [layer(vb.masked_mean(tokens[m].values, tokens[m].mask)) for m, layer in self.read.items()]
        context = torch.stack(read).sum(0)  # (B, d)
        changed = {}
        for modality, gate in self.gate.items():
            own = tokens[modality]
            values = vb.blank(own.values, own.mask)  # padding may hold anything: remove it first
            opened = torch.sigmoid(gate(context))[:, None]  # (B, 1, D_m)
            if weights is not None:
                weights[f"$name/{modality}"] = opened
            changed[modality] = own.with_values(values + self.strength * values * opened)
        return changed
'''

TEST = """
    tokens = {"text": vb.Tokens(torch.randn(2, 3, 5), torch.ones(2, 3, dtype=torch.bool))}
    unchanged = plugin.$cls({"text": 5}, 8, strength=0.0)(tokens)
    torch.testing.assert_close(unchanged["text"].values, tokens["text"].values)
"""
