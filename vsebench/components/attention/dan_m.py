"""Dual attention for matching (m-DAN): each modality reads itself K times, led by a memory of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.attention.base import Attention
from vsebench.core.registry import ATTENTIONS
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank, masked_mean, masked_softmax


class _Step(nn.Module):
    """Weights of a set's tokens, given the memory. Shape: (B, N, D), (B, N), (B, S) -> (B, N)."""

    def __init__(self, dim: int, dim_memory: int, hidden: int, dropout: float, bias: bool) -> None:
        super().__init__()
        self.tokens = nn.Linear(dim, hidden, bias=bias)
        self.memory = nn.Linear(dim_memory, hidden, bias=bias)
        self.score = nn.Linear(hidden, 1, bias=False)  # the softmax would not see a bias
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: Tensor, mask: Tensor, memory: Tensor) -> Tensor:
        hidden = self.tokens(values).tanh() * self.memory(memory).tanh()[:, None]  # (B, N, hidden)
        return masked_softmax(self.score(self.dropout(hidden)).squeeze(-1), mask)


class _Reader(nn.Module):
    """One modality's K steps; ``out`` maps each read vector, of images and sounds. Shape: Tokens -> (B, K + 1, S)."""

    def __init__(
        self, dim: int, size: int, *, projected: bool, steps: int, hidden: int, dropout: float, bias: bool
    ) -> None:
        super().__init__()
        self.steps = nn.ModuleList(_Step(dim, size, hidden, dropout, bias) for _ in range(steps))
        maps = [nn.Linear(dim, size, bias=bias) for _ in range(steps + 1)] if projected else []
        self.out = nn.ModuleList(maps)

    def forward(self, tokens: Tokens) -> tuple[Tensor, list[Tensor]]:
        values = blank(tokens.values, tokens.mask)
        memory = self._mapped(0, masked_mean(values, tokens.mask))
        read, results = [memory], []
        for k, step in enumerate(self.steps):
            weights = step(values, tokens.mask, memory)
            vector = self._mapped(k + 1, (weights[:, :, None] * values).sum(1))
            memory = memory + vector
            read.append(vector)
            results.append(weights)
        # A biased map of an empty set is not zero.
        return torch.stack(read, 1) * tokens.mask.any(1)[:, None, None], results

    def _mapped(self, k: int, vector: Tensor) -> Tensor:
        return self.out[k](vector).tanh() if len(self.out) else vector


@ATTENTIONS.register("dan_m", source="m-DAN, Nam et al. 2017, arXiv:1611.00471; methods 2 and 6.3", ordered=False)
class DANM(Attention):
    """Read each modality K times, each time led by what was read of it before, and keep all that was read.

        image  v⁰ = tanh(P⁰ mean_n v_n),  m_v⁰ = v⁰                text  u⁰ = mean_t u_t,  m_u⁰ = u⁰
        step   h_n = tanh(W_v v_n) ⊙ tanh(W_{v,m} m_v^{k-1}),  α = softmax_n(w_{v,h} · h_n)      (text likewise)
               vᵏ = tanh(Pᵏ Σ_n α_n v_n),  m_vᵏ = m_v^{k-1} + vᵏ         uᵏ = Σ_t α_t u_t,  m_uᵏ = m_u^{k-1} + uᵏ
        result z_v = [v⁰; …; vᴷ],  z_u = [u⁰; …; uᴷ];   the source's similarity Σ_k vᵏ · uᵏ is z_v · z_u

    Neither side looks at the other, so z can be indexed, by inner product and not by cosine. A system that ranks z
    itself has ``pooling: mean`` (of one token) and ``projection: none``. The text is not mapped, so a step's size S is
    that of the text's tokens (512 in the source), or the joint dimension in a system without text.

    Differs from the source: it gives a dropout rate but not the place; ours is on h. Sounds are read as images are.

    Args:
        dims: size of each modality's tokens, D_m (wired).
        dim: the joint dimension (wired).
        steps: K, at least 1.
        hidden: size of h, > 0.
        dropout: rate in [0, 0.95).
        bias: whether P and W have biases; the source has none.

    Shape: {m: (B, N_m, D_m)} -> {m: one token (B, 1, (K + 1) · S)}, zeros of an empty set; weights ``dan_m/m/step``
    (B, N_m), steps from 1.

    Example:
        >>> DANM({"image": 6, "text": 5}, 8).dims_out
        {'image': 15, 'text': 15}
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim: int,
        *,
        steps: Annotated[int, Gt(0)] = 2,
        hidden: Annotated[int, Gt(0)] = 512,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.5,
        bias: bool = False,
    ) -> None:
        super().__init__()
        size = dims.get("text", dim)
        self.dims_out = dict.fromkeys(dims, (steps + 1) * size)
        self.readers = nn.ModuleDict()
        for modality, width in dims.items():
            projected = modality != "text"
            self.readers[modality] = _Reader(
                width, size, projected=projected, steps=steps, hidden=hidden, dropout=dropout, bias=bias
            )

    def forward(self, tokens: Mapping[str, Tokens], weights: dict[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Read K times."""
        result = {}
        for modality, reader in self.readers.items():
            read, results = reader(tokens[modality])
            one = torch.ones(len(read), 1, dtype=torch.bool, device=read.device)
            result[modality] = Tokens(read.flatten(1)[:, None], one)
            if weights is not None:
                weights |= {f"dan_m/{modality}/{k}": w for k, w in enumerate(results, start=1)}
        return result
