from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.fusion._power import power_normalize, signed_sqrt


@pytest.mark.parametrize("exact", [False, True])
def test_equals_a_loop(exact: bool) -> None:
    values = [-4.0, -1e-3, 0.0, 1e-9, 0.25, 9.0]
    result = signed_sqrt(torch.tensor(values), exact=exact)
    for value, root in zip(values, result.tolist(), strict=True):
        assert root == pytest.approx(math.copysign(math.sqrt(abs(value)), value), abs=1.1e-6)


def test_the_gradient_is_bounded_unless_exact() -> None:
    for exact, largest in ((False, 5.1e5), (True, math.inf)):
        values = torch.tensor([0.0, 1e-30, -1e-30, 1.0], requires_grad=True)
        signed_sqrt(values, exact=exact).sum().backward()
        assert values.grad is not None
        assert (float(values.grad.max()) > 1e14) == (largest == math.inf)
        assert float(values.grad.max()) <= largest
        assert float(values.grad[0]) == 0.0
        assert float(values.grad[3]) == pytest.approx(0.5)


def test_half_precision_is_computed_in_float32() -> None:
    values = torch.tensor([[0.0, 0.0], [1e-6, -4.0]], dtype=torch.float16)
    result = power_normalize(values)
    assert result.dtype == torch.float16
    assert result[0].tolist() == [0.0, 0.0]
    torch.testing.assert_close(result.float(), power_normalize(values.float()), atol=1e-3, rtol=1e-3)


def test_normalises_the_roots_to_unit_length() -> None:
    result = power_normalize(torch.tensor([[4.0, -1.0, 0.0]], dtype=torch.float64))
    torch.testing.assert_close(
        result, torch.tensor([[2.0, -1.0, 0.0]], dtype=torch.float64) / 5**0.5, atol=1e-6, rtol=0
    )
