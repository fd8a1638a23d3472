from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.objective.cross_entropy import CrossEntropy
from vsebench.core.errors import ConfigError
from vsebench.core.types import Batch, Output


def batch_of(labels: torch.Tensor) -> Batch:
    index = torch.arange(len(labels))
    return Batch({}, labels, index, index)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_single_label_equals_a_loop(smoothing: float) -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(4, 3), torch.tensor([0, 2, 1, 2])
    result = CrossEntropy(label_smoothing=smoothing)(Output(logits), batch_of(labels))["cross_entropy"]
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        log_sum = math.log(sum(math.exp(x) for x in row))
        for c, x in enumerate(row):
            target = (1 - smoothing) * (c == label) + smoothing / 3
            total -= target * (x - log_sum)
    assert float(result) == pytest.approx(total / 4, rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_multi_label_equals_a_loop(smoothing: float) -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 3), torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    result = CrossEntropy(label_smoothing=smoothing)(Output(logits), batch_of(labels))["cross_entropy"]
    total = 0.0
    for row, targets in zip(logits.tolist(), labels.tolist(), strict=True):
        for x, y in zip(row, targets, strict=True):
            p, y = 1 / (1 + math.exp(-x)), (1 - smoothing) * y + smoothing / 2
            total -= y * math.log(p) + (1 - y) * math.log(1 - p)
    assert float(result) == pytest.approx(total / 6, rel=1e-6)


def test_gradient_is_the_softmax_minus_the_label() -> None:
    logits, labels = torch.randn(2, 3, requires_grad=True), torch.tensor([1, 0])
    CrossEntropy()(Output(logits), batch_of(labels))["cross_entropy"].backward()
    wanted = (logits.detach().softmax(-1) - torch.eye(3)[labels]) / 2
    torch.testing.assert_close(logits.grad, wanted)


def test_equal_logits_cost_log_of_the_classes() -> None:
    result = CrossEntropy()(Output(torch.zeros(2, 7)), batch_of(torch.tensor([3, 6])))
    assert float(result["cross_entropy"]) == pytest.approx(math.log(7))


def test_extreme_logits_stay_finite() -> None:
    logits = torch.tensor([[6e4, -6e4]], dtype=torch.float16)
    assert float(CrossEntropy()(Output(logits), batch_of(torch.tensor([1])))["cross_entropy"]) == pytest.approx(
        1.2e5, rel=1e-2
    )


def test_missing_logits_are_the_callers_fault() -> None:
    with pytest.raises(ValueError, match="objective 'cross_entropy' needs logits"):
        CrossEntropy()(Output(), batch_of(torch.tensor([0])))


def test_full_smoothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="option 'label_smoothing' of objective 'cross_entropy'"):
        CrossEntropy(label_smoothing=1.0)
