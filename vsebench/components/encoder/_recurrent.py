"""Recurrent networks over padded sets, which the encoders of words and of frames share."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def run_recurrent(network: nn.RNNBase, vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """States at every real word and the last layer's final states, both directions side by side.

    Packed: padding is never read. An empty set is read as one zero vector, so that it has a state; its mask stays
    False.

    Shape: (B, N, D), (B, N) -> (B, N, directions · H), (B, directions · H).
    """
    lengths = mask.sum(1).clamp(min=1).cpu()
    packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
    states, final = network(packed)
    values, _ = pad_packed_sequence(states, batch_first=True, total_length=vectors.shape[1])
    hidden = final[0] if isinstance(final, tuple) else final  # (layers · directions, B, H)
    last = hidden[-2:] if network.bidirectional else hidden[-1:]
    return values, torch.cat(list(last), -1)


def join_directions(states: Tensor, merge: Literal["concat", "sum", "mean"]) -> Tensor:
    """Join the states of both directions, which stand side by side. Shape: (..., 2 · H) -> (..., H), or 2 · H."""
    if merge == "concat":
        return states
    both = states.unflatten(-1, (2, -1))
    return both.mean(-2) if merge == "mean" else both.sum(-2)
