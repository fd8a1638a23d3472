"""Generalised pooling operator of VSE∞."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from vsebench.components.pooling.base import Pooling
from vsebench.core.registry import POOLINGS
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank, masked_softmax
from vsebench.ops.positions import sinusoid


@POOLINGS.register("gpo", source="VSE∞, Chen et al. 2021, arXiv:2011.04305, section 3; methods 4", ordered=False)
class GPO(Pooling):
    """Sort each feature over the real tokens and take a learned weighted sum of the sorted values.

        pooled_d = Σ_k θ_k · (k-th largest of {x_nd : mask_n})
        θ = softmax_k(w · ½(→h_k + ←h_k) / temperature),  h = bi-GRU over PE(0), …, PE(n - 1),  n the item's real tokens

    The weights depend on n only, never on the values; mean, maximum and k-max are special cases. In training, an item's
    set is shrunk with probability ``augment``: u ~ U(``drop_low``, 1), and each token falls away with probability
    ``drop`` · u (size augmentation). Drawn from torch's default generator, as dropout is; a set that would lose all
    its tokens keeps them.

    Args:
        dim: D, size of a token (wired).
        dim_position: size of PE, > 0.
        dim_hidden: size of the GRU's state in each direction, > 0.
        temperature: of the softmax, > 0; the source's 0.1 makes sharp weights possible.
        augment: probability in [0, 1] that an item's set is shrunk in training; 0 turns it off.
        drop: largest probability in [0, 1) that a token falls away.
        drop_low: lower end of u in [0, 1].

    Shape: Tokens (B, N, D) -> (B, D). The order of the tokens does not matter.

    Example:
        >>> GPO(4).dim_out
        4
    """

    def __init__(
        self,
        dim: int,
        *,
        dim_position: Annotated[int, Gt(0)] = 32,
        dim_hidden: Annotated[int, Gt(0)] = 32,
        temperature: Annotated[float, Gt(0)] = 0.1,
        augment: Annotated[float, Ge(0), Le(1)] = 0.8,
        drop: Annotated[float, Ge(0), Lt(1)] = 0.2,
        drop_low: Annotated[float, Ge(0), Le(1)] = 0.2,
    ) -> None:
        super().__init__()
        self.dim_out, self.dim_position, self.temperature = dim, dim_position, temperature
        self.augment, self.drop, self.drop_low = augment, drop, drop_low
        self.gru = nn.GRU(dim_position, dim_hidden, batch_first=True, bidirectional=True)
        self.score = nn.Linear(dim_hidden, 1, bias=False)

    def forward(self, tokens: Tokens, context: Mapping[str, Tokens] | None = None) -> Tensor:
        """Pool."""
        mask = self.shrunk(tokens.mask) if self.training and self.augment else tokens.mask
        filled = tokens.values.masked_fill(~mask[:, :, None], torch.finfo(tokens.values.dtype).min)
        ranked = filled.sort(dim=1, descending=True).values  # real values first
        lengths = mask.sum(1)
        real = torch.arange(mask.shape[1], device=mask.device)[None] < lengths[:, None]
        weights = self.coefficients(lengths, mask.shape[1])
        return (weights[:, :, None].to(ranked.dtype) * blank(ranked, real)).sum(1)

    def coefficients(self, lengths: Tensor, count: int) -> Tensor:
        """θ of sets of these sizes, zeros behind each set's last position. Shape: (B,) -> (B, count)."""
        sizes, which = lengths.unique(return_inverse=True)  # the weights of a size are computed once
        place = sinusoid(count, self.dim_position, device=lengths.device).to(self.score.weight.dtype)
        packed = pack_padded_sequence(
            place.expand(len(sizes), -1, -1), sizes.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=count)
        forward, backward = states.chunk(2, -1)
        logits = self.score((forward + backward) / 2).squeeze(-1) / self.temperature  # (sizes, count)
        real = torch.arange(count, device=lengths.device)[None] < sizes[:, None]
        return masked_softmax(logits, real)[which]

    def shrunk(self, mask: Tensor) -> Tensor:
        """Size augmentation: which tokens are left. Shape: bool (B, N) -> bool (B, N)."""
        draws = torch.rand(len(mask), 2, device=mask.device)
        chosen = draws[:, :1] < self.augment
        rate = self.drop * (self.drop_low + (1 - self.drop_low) * draws[:, 1:])
        keep = mask & ~(chosen & (torch.rand(mask.shape, device=mask.device) < rate))
        return torch.where(keep.any(1, keepdim=True), keep, mask)
