"""Dual attention for reasoning (r-DAN): image and text are read K times, both led by one memory of what was read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank, masked_mean, masked_softmax


class _Reader(nn.Module):
    """One modality at one step: weights of its tokens, led by the memory, and the vector that they give.

    Shape: values (B, N, D), mask (B, N), memory (B, S) -> (B, S), weights (B, N).
    """

    def __init__(self, dim: int, size: int, *, projected: bool, hidden: int, dropout: float, bias: bool) -> None:
        super().__init__()
        self.tokens = nn.Linear(dim, hidden, bias=bias)
        self.memory = nn.Linear(size, hidden, bias=bias)
        self.score = nn.Linear(hidden, 1, bias=False)  # the softmax would not see a bias
        self.out = nn.Linear(dim, size, bias=bias) if projected else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: Tensor, mask: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.tokens(values).tanh() * self.memory(memory).tanh()[:, None]  # (B, N, hidden)
        weights = masked_softmax(self.score(self.dropout(hidden)).squeeze(-1), mask)
        read = (weights[:, :, None] * values).sum(1)
        return read if self.out is None else self.out(read).tanh(), weights


@FUSIONS.register("dan_r", source="r-DAN, Nam et al. 2017, arXiv:1611.00471; methods 6.3", needs_tokens=True)
class DANR(Fusion):
    """Read image and text K times, each time led by a memory of what both have said so far.

        image  v⁰ = tanh(P⁰ mean_n v_n)                 text  u⁰ = mean_t u_t                    m⁰ = v⁰ ⊙ u⁰
        step   h_n = tanh(W_v v_n) ⊙ tanh(W_{v,m} mᵏ⁻¹),  α = softmax_n(w_{v,h} · h_n)            (text likewise)
               vᵏ = tanh(Pᵏ Σ_n α_n v_n),  uᵏ = Σ_t α_t u_t,  mᵏ = mᵏ⁻¹ + vᵏ ⊙ uᵏ
        result mᴷ;   with ``head: linear`` the answers' probabilities are softmax(W_ans mᴷ + b)

    Each step has weights of its own. It reads the encoders' own tokens; attention and pooling before it are not seen.
    The text is not mapped, so S is the size of the text's tokens (512 in the source), or the joint dimension in a
    system without text.

    Differs from the source: it gives a dropout rate but not the place; ours is on h. Sounds are read as images are, and
    the product is over all modalities. Where one is empty the memory is zero, and nothing but the head's bias answers.

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: the joint dimension (wired).
        token_dims: size of each modality's tokens (wired).
        steps: K, at least 1.
        hidden: size of h, > 0.
        dropout: rate in [0, 0.95].
        bias: whether P and W have biases; the source has none.

    Shape: {m: (B, D_m)}, {m: Tokens (B, N_m, D'_m)} -> (B, S); :meth:`weights` gives ``dan_r/m/step`` (B, N_m), steps
    from 1.

    Example:
        >>> DANR({"image": 4, "text": 3}, 8, {"image": 6, "text": 5}).dim_out
        5
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim_out: int,
        token_dims: Mapping[str, int],
        *,
        steps: Annotated[int, Gt(0)] = 2,
        hidden: Annotated[int, Gt(0)] = 512,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.5,
        bias: bool = False,
    ) -> None:
        super().__init__()
        size = self.dim_out = token_dims.get("text", dim_out) if "text" in dims else dim_out
        self.modalities = tuple(dims)
        mapped = [m for m in dims if m != "text"]
        self.first = nn.ModuleDict({m: nn.Linear(token_dims[m], size, bias=bias) for m in mapped})
        self.steps = nn.ModuleList()
        for _ in range(steps):
            readers = {
                m: _Reader(token_dims[m], size, projected=m in mapped, hidden=hidden, dropout=dropout, bias=bias)
                for m in dims
            }
            self.steps.append(nn.ModuleDict(readers))

    def forward(self, vectors: Mapping[str, Tensor], tokens: Mapping[str, Tokens]) -> Tensor:  # type: ignore[override]
        """Fuse."""
        return self._read(tokens)[0]

    def weights(self, tokens: Mapping[str, Tokens]) -> dict[str, Tensor]:
        """Return the attention weights of each step on each modality, by name."""
        return self._read(tokens)[1]

    def _read(self, tokens: Mapping[str, Tokens]) -> tuple[Tensor, dict[str, Tensor]]:
        sides = {m: tokens[m] for m in self.modalities}
        values = {m: blank(t.values, t.mask) for m, t in sides.items()}
        means = {m: masked_mean(values[m], t.mask) for m, t in sides.items()}
        memory = torch.stack([self.first[m](v).tanh() if m in self.first else v for m, v in means.items()]).prod(0)
        results: dict[str, Tensor] = {}
        for k, step in enumerate(self.steps, start=1):
            read = []
            for modality, reader in step.items():  # type: ignore[operator]
                vector, results[f"dan_r/{modality}/{k}"] = reader(values[modality], sides[modality].mask, memory)
                read.append(vector)
            memory = memory + torch.stack(read).prod(0)
        # A biased map of an empty set is not zero.
        present = torch.stack([t.mask.any(1) for t in sides.values()]).all(0)
        return memory * present[:, None], results
