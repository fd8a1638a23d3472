from __future__ import annotations

import pytest
import torch

from vsebench.components.pooling.gem import GeM
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens


@torch.no_grad()
def test_equals_the_power_mean_by_a_loop() -> None:
    torch.manual_seed(0)
    values, mask = torch.randn(3, 4, 5), torch.rand(3, 4) < 0.7
    mask[:, 0] = True
    result = GeM(5, p=2.5)(Tokens(values, mask))
    for b in range(3):
        for d in range(5):
            real = [max(float(values[b, n, d]), 1e-6) ** 2.5 for n in range(4) if mask[b, n]]
            assert float(result[b, d]) == pytest.approx((sum(real) / len(real)) ** 0.4, rel=1e-4)


def test_p_1_is_the_mean_and_a_large_p_the_maximum() -> None:
    torch.manual_seed(0)
    values, mask = torch.rand(2, 6, 3) + 0.1, torch.ones(2, 6, dtype=torch.bool)
    torch.testing.assert_close(GeM(3, p=1.0)(Tokens(values, mask)), values.mean(1))
    torch.testing.assert_close(GeM(3, p=500.0)(Tokens(values, mask)), values.amax(1), rtol=1e-2, atol=0)


def test_large_values_do_not_overflow_in_half_precision() -> None:
    tokens = Tokens(torch.full((1, 3, 2), 1000.0, dtype=torch.bfloat16), torch.ones(1, 3, dtype=torch.bool))
    assert GeM(2, p=60.0).bfloat16()(tokens).tolist() == [[1000.0, 1000.0]]


def test_the_exponent_is_learned() -> None:
    module = GeM(3)
    module(Tokens(torch.rand(2, 4, 3), torch.ones(2, 4, dtype=torch.bool))).sum().backward()
    assert module.power.grad is not None
    assert float(module.power.grad) > 0  # a power mean grows with its exponent


def test_p_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="option 'p' of pooling 'gem': must be greater than 0"):
        GeM(3, p=0.0)
