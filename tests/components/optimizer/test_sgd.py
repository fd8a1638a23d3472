from __future__ import annotations

import pytest
import torch

from vsebench.components.optimizer.sgd import sgd
from vsebench.core.errors import ConfigError


def group(parameter: torch.Tensor, scale: float = 1.0, decay: bool = True) -> dict:
    return {"params": [parameter], "lr_scale": scale, "decay": decay}


def test_equals_the_update_rule_step_by_step() -> None:
    weight = torch.tensor([2.0], requires_grad=True)
    optimizer = sgd([group(weight, scale=0.5)], lr=0.1, momentum=0.9, weight_decay=0.01)
    value, speed = 2.0, 0.0
    for _ in range(3):
        optimizer.zero_grad()
        (weight**2).sum().backward()
        optimizer.step()
        speed = 0.9 * speed + (2 * value + 0.01 * value)
        value -= 0.05 * speed
        assert weight.item() == pytest.approx(value, rel=1e-6)


def test_a_group_without_decay_shrinks_by_its_gradient_only() -> None:
    bias = torch.tensor([2.0], requires_grad=True)
    optimizer = sgd([group(bias, decay=False)], weight_decay=0.5)
    bias.grad = torch.zeros(1)
    optimizer.step()
    assert bias.item() == 2.0


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(ConfigError, match="optimizer 'sgd': nesterov needs a momentum > 0") as caught:
        sgd([group(torch.ones(1, requires_grad=True))], momentum=0.0, nesterov=True)
    assert caught.value.path == ("nesterov",)


def test_a_learning_rate_of_0_is_refused() -> None:
    with pytest.raises(ConfigError, match="option 'lr' of optimizer 'sgd': must be greater than 0"):
        sgd([group(torch.ones(1, requires_grad=True))], lr=0.0)
