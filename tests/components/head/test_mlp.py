from __future__ import annotations

import pytest
import torch

from vsebench.components.head.mlp import MLP
from vsebench.core.errors import ConfigError


@pytest.mark.parametrize(("activation", "function"), [("relu", torch.relu), ("tanh", torch.tanh)])
@torch.no_grad()
def test_two_hidden_layers_equal_the_formula(activation: str, function: object) -> None:
    torch.manual_seed(0)
    head = MLP(4, 3, hidden=5, layers=2, activation=activation)  # type: ignore[arg-type]
    joint = torch.randn(2, 4)
    maps = [layer for layer in head.layers if isinstance(layer, torch.nn.Linear)]
    assert [m.out_features for m in maps] == [5, 5, 3]
    for b in range(2):
        hidden = joint[b]
        for linear in maps[:-1]:
            hidden = function(linear.weight @ hidden + linear.bias)  # type: ignore[operator]
        torch.testing.assert_close(head(joint)[b], maps[-1].weight @ hidden + maps[-1].bias)


def test_dropout_is_at_work_in_training_only() -> None:
    torch.manual_seed(0)
    head, joint = MLP(4, 3, dropout=0.5), torch.randn(2, 4)
    assert not torch.equal(head(joint), head(joint))
    head.eval()
    assert torch.equal(head(joint), head(joint))


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(ConfigError, match="option 'activation' of head 'mlp': must be 'relu', 'gelu' or 'tanh'"):
        MLP(4, 3, activation="swish")  # type: ignore[arg-type]
