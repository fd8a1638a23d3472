"""An LSTM over padded sets gives what torch's own gives for packed ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from vsebench.components.encoder._recurrent import run_recurrent

LENGTHS = torch.tensor([7, 3, 1, 4, 0])


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU])
def test_states_and_gradients_are_those_of_packed_sets(cell: type[nn.RNNBase], layers: int, both: bool) -> None:
    torch.manual_seed(0)
    network = cell(6, 5, layers, batch_first=True, bidirectional=both)  # type: ignore[call-arg, arg-type]
    mask = torch.arange(8) < LENGTHS[:, None]
    vectors = torch.randn(5, 8, 6).masked_fill(~mask[:, :, None], 0.0).requires_grad_()
    results = []
    for states, final in (run_recurrent(network, vectors, mask), packed(network, vectors)):
        loss = (states * mask[:, :, None]).square().sum() + final.pow(3).sum()
        results.append([states * mask[:, :, None], final, *torch.autograd.grad(loss, [vectors, *network.parameters()])])
    for ours, torchs in zip(*results, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-5, atol=1e-6)


def packed(network: nn.RNNBase, vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Run torch's network over packed sets, the empty one as one zero vector."""
    sets = pack_padded_sequence(vectors, LENGTHS.clamp(min=1), batch_first=True, enforce_sorted=False)
    states, final = network(sets)
    hidden = final[0] if isinstance(final, tuple) else final
    values, _ = pad_packed_sequence(states, batch_first=True, total_length=vectors.shape[1])
    return values, torch.cat(list(hidden[-2:] if network.bidirectional else hidden[-1:]), -1)


def test_dropout_between_layers_falls_on_training_alone() -> None:
    torch.manual_seed(0)
    network = nn.LSTM(6, 5, 2, batch_first=True, dropout=0.5)
    vectors, mask = torch.randn(2, 3, 6), torch.ones(2, 3, dtype=torch.bool)
    assert not torch.equal(run_recurrent(network, vectors, mask)[0], run_recurrent(network, vectors, mask)[0])
    network.eval()
    assert torch.equal(run_recurrent(network, vectors, mask)[0], run_recurrent(network, vectors, mask)[0])
