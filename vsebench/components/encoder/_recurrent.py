"""Recurrent networks over padded sets, which the encoders of words and of frames share."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def run_recurrent(network: nn.RNNBase, vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """States at every real word and the last layer's final states, both directions side by side.

    Padding is never read before a real word. An empty set is read as one zero vector, so that it has a state; its mask
    stays False. Sets are packed, except for an LSTM on a processor: torch has its fast LSTM for whole sequences only.

    Shape: (B, N, D), (B, N) -> (B, N, directions · H), (B, directions · H).
    """
    lengths = mask.sum(1).clamp(min=1)
    if isinstance(network, nn.LSTM) and vectors.device.type == "cpu":
        return _run_whole(network, vectors, lengths)
    packed = pack_padded_sequence(vectors, lengths.cpu(), batch_first=True, enforce_sorted=False)
    states, final = network(packed)
    values, _ = pad_packed_sequence(states, batch_first=True, total_length=vectors.shape[1])
    hidden = final[0] if isinstance(final, tuple) else final  # (layers · directions, B, H)
    last = hidden[-2:] if network.bidirectional else hidden[-1:]
    return values, torch.cat(list(last), -1)


def _run_whole(network: nn.LSTM, vectors: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Run an LSTM over padded sets: what stands behind a set's last word is computed and left out.

    The other direction reads each set reversed, so that its padding stands behind it too.
    """
    places = torch.arange(vectors.shape[1])
    real = places < lengths[:, None]  # (B, N)
    back = torch.where(real, lengths[:, None] - 1 - places, places)  # where each word is in the reversed set
    rows, last = torch.arange(len(lengths)), lengths - 1
    values = vectors
    finals: list[Tensor] = []
    for layer in range(network.num_layers):
        if layer:
            values = nn.functional.dropout(values, network.dropout, network.training)
        states: list[Tensor] = []
        finals = []
        for direction in range(1 + network.bidirectional):
            seen = values[rows[:, None], back] if direction else values
            result = _one_direction(network, layer, direction, seen)
            finals.append(result[rows, last])
            states.append(result[rows[:, None], back] if direction else result)
        values = torch.cat(states, -1)
    return values.masked_fill(~real[:, :, None], 0.0), torch.cat(finals, -1)


def _one_direction(network: nn.LSTM, layer: int, direction: int, vectors: Tensor) -> Tensor:
    """Return the states of one direction of one layer. Shape: (B, N, D) -> (B, N, H)."""
    suffix = f"l{layer}{'_reverse' if direction else ''}"
    weights = [getattr(network, f"{name}_{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    zeros = vectors.new_zeros(1, len(vectors), network.hidden_size)
    states: Tensor = torch.lstm(vectors, (zeros, zeros), weights, True, 1, 0.0, network.training, False, True)[0]
    return states


def join_directions(states: Tensor, merge: Literal["concat", "sum", "mean"]) -> Tensor:
    """Join the states of both directions, which stand side by side. Shape: (..., 2 · H) -> (..., H), or 2 · H."""
    if merge == "concat":
        return states
    both: Tensor = states.unflatten(-1, (2, -1))
    return both.mean(-2) if merge == "mean" else both.sum(-2)
