from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.fitter import _semantic_codes
from vsebench.components.fitter._semantic_codes import divergence, label_entropy, semantic_codes
from vsebench.core.errors import TrainingError


def case(count: int = 12, bits: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    labels = (torch.rand(count, 4, generator=generator) < 0.5).double()
    labels[0] = 0
    return torch.randn(count, bits, generator=generator).double(), torch.nn.functional.normalize(labels, dim=1)


def slow(codes: torch.Tensor, labels: torch.Tensor, alpha: float) -> torch.Tensor:
    """J, pair by pair, with gradients."""
    count, bits = codes.shape
    pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
    wanted = {(i, j): float(labels[i] @ labels[j]) for i, j in pairs}
    total = sum(wanted.values())
    near = {(i, j): 1 / (1 + (codes[i] - codes[j]).square().sum() / 4) for i, j in pairs}
    sums = torch.stack(list(near.values())).sum()
    value = sum(
        wanted[k] / total * (math.log(wanted[k] / total) - (near[k] / sums).log()) for k in pairs if wanted[k] > 0
    )
    return value + alpha / (count * bits) * (codes.abs() - 1).square().sum()


@pytest.mark.parametrize("block", [1 << 17, 30, 1])
def test_objective_and_gradient_equal_those_of_all_pairs(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_semantic_codes, "BLOCK_CPU", block)  # 30: two of twelve rows at a time
    codes, labels = case()
    codes.requires_grad_()
    wanted = slow(codes, labels, 0.3)
    wanted.backward()
    result = divergence(codes.detach(), labels, 0.3)
    assert result.objective + label_entropy(labels) == pytest.approx(float(wanted.detach()), rel=1e-9)
    assert codes.grad is not None
    assert torch.allclose(result.gradient, codes.grad, rtol=1e-8, atol=1e-12)


def test_items_of_one_label_come_together_and_others_apart() -> None:
    labels = torch.nn.functional.one_hot(torch.arange(60) % 3).float()
    message: list[float] = []
    codes = semantic_codes(
        labels,
        8,
        alpha=0.01,
        steps=100,
        rate=500,
        momentum=0.5,
        generator=torch.Generator().manual_seed(0),
        report=lambda step, value: message.append(value),
    )
    assert len(message) == 100
    entropy = label_entropy(labels)
    best = divergence(codes, labels, 0.01).objective + entropy
    assert best <= min(message) + 1e-6
    assert best < 0.2 * message[0]
    same = labels @ labels.T > 0
    agreement = codes.sign() @ codes.sign().T
    assert float(agreement[same].mean()) > float(agreement[~same].mean()) + 4


def test_the_best_iterate_is_kept() -> None:
    labels = torch.nn.functional.one_hot(torch.arange(30) % 3).float()
    message: list[float] = []
    codes = semantic_codes(
        labels,
        4,
        alpha=0.01,
        steps=40,
        rate=3e3,  # far too fast: it goes up and down
        momentum=0.5,
        generator=torch.Generator().manual_seed(0),
        report=lambda step, value: message.append(value),
    )
    assert min(message) < message[-1]
    assert divergence(codes, labels, 0.01).objective + label_entropy(labels) <= min(message) + 1e-6


def test_a_rate_that_leads_nowhere_is_refused() -> None:
    labels = torch.nn.functional.one_hot(torch.arange(30) % 3).float()
    drawn, quiet = torch.Generator().manual_seed(0), lambda step, value: None
    with pytest.raises(TrainingError, match=r"not finite at step \d+: rate 1e\+06 is too large"):
        semantic_codes(labels, 4, alpha=0.01, steps=40, rate=1e6, momentum=0.5, generator=drawn, report=quiet)


def test_gains_and_momentum_step_by_step() -> None:
    labels = torch.nn.functional.one_hot(torch.arange(8) % 2).float()
    result = semantic_codes(
        labels,
        2,
        alpha=0.01,
        steps=6,
        rate=2.0,
        momentum=0.5,
        generator=torch.Generator().manual_seed(4),
        report=lambda step, value: None,
    )
    codes = 1e-4 * torch.randn(8, 2, generator=torch.Generator().manual_seed(4))
    move, gain = torch.zeros(8, 2), torch.ones(8, 2)
    for _ in range(6):
        gradient = divergence(codes, labels, 0.01).gradient
        for i in range(8):
            for k in range(2):
                against = gradient[i, k].sign() != move[i, k].sign()
                gain[i, k] = max(0.01, gain[i, k] + 0.2 if against else gain[i, k] * 0.8)
                move[i, k] = 0.5 * move[i, k] - 2.0 * gain[i, k] * gradient[i, k]
        codes = codes + move
        codes = codes - codes.mean(0)
    assert torch.allclose(result, codes, atol=1e-7)
