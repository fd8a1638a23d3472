from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.optimizer.adamw import adamw


def test_equals_the_update_rule_step_by_step() -> None:
    weight = torch.tensor([2.0], requires_grad=True)
    optimizer = adamw([{"params": [weight], "lr_scale": 0.5, "decay": True}], lr=0.1, weight_decay=0.2)
    value, mean, square = 2.0, 0.0, 0.0
    for step in range(1, 4):
        optimizer.zero_grad()
        (weight**2).sum().backward()
        optimizer.step()
        gradient = 2 * value
        value *= 1 - 0.05 * 0.2  # decoupled: not part of the gradient
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        value -= 0.05 * mean / (1 - 0.9**step) / (math.sqrt(square / (1 - 0.999**step)) + 1e-8)
        assert weight.item() == pytest.approx(value, rel=1e-5)


def test_a_group_without_decay_shrinks_by_its_gradient_only() -> None:
    bias = torch.tensor([2.0], requires_grad=True)
    optimizer = adamw([{"params": [bias], "lr_scale": 1.0, "decay": False}], weight_decay=0.5)
    bias.grad = torch.zeros(1)
    optimizer.step()
    assert bias.item() == 2.0
