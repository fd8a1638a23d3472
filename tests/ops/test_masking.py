from __future__ import annotations

import math

import pytest
import torch

from vsebench.ops.masking import blank, masked_max, masked_mean, masked_softmax


@pytest.fixture
def sets() -> tuple[torch.Tensor, torch.Tensor]:
    """Three sets of up to four vectors; the last one is empty, padding is NaN."""
    torch.manual_seed(0)
    mask = torch.tensor([[True, True, False, True], [False, True, False, False], [False] * 4])
    return torch.randn(3, 4, 5).masked_fill(~mask[:, :, None], math.nan), mask


def test_softmax_equals_a_loop_over_real_positions() -> None:
    torch.manual_seed(0)
    logits, mask = 5 * torch.randn(6, 7), torch.rand(6, 7) < 0.6
    mask[0] = False
    result = masked_softmax(logits, mask)
    for row in range(6):
        total = sum(math.exp(float(logits[row, i])) for i in range(7) if mask[row, i])
        for i in range(7):
            want = math.exp(float(logits[row, i])) / total if mask[row, i] else 0.0
            assert float(result[row, i]) == pytest.approx(want, abs=1e-6)


def test_softmax_of_equal_logits_is_uniform_over_real_positions() -> None:
    mask = torch.tensor([[True, True, True, False, True]])
    assert masked_softmax(torch.full((1, 5), 3.0), mask).tolist() == [[0.25, 0.25, 0.25, 0.0, 0.25]]


def test_softmax_ignores_large_and_nan_padding() -> None:
    logits = torch.tensor([[1.0, 2.0, 1e30, math.nan, math.inf]])
    mask = torch.tensor([[True, True, False, False, False]])
    assert torch.equal(masked_softmax(logits, mask)[:, :2], torch.tensor([[1.0, 2.0]]).softmax(-1))


def test_softmax_of_very_negative_real_logits_stays_on_them() -> None:
    logits, mask = torch.tensor([[-1e30, -1e30, 0.0]]), torch.tensor([[True, True, False]])
    assert masked_softmax(logits, mask).tolist() == [[0.5, 0.5, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_empty_row_gives_zeros_and_finite_gradients(dtype: torch.dtype) -> None:
    logits = torch.randn(2, 3, dtype=dtype, requires_grad=True)
    mask = torch.tensor([[False] * 3, [True] * 3])
    result = masked_softmax(logits, mask)
    assert result[0].tolist() == [0, 0, 0]
    (result * torch.arange(3)).sum().backward()
    assert logits.grad is not None
    assert bool(logits.grad.isfinite().all())


def test_softmax_along_another_dimension() -> None:
    logits, mask = torch.zeros(1, 3, 2), torch.tensor([[[True], [False], [True]]])
    assert masked_softmax(logits, mask, dim=1)[0].tolist() == [[0.5, 0.5], [0, 0], [0.5, 0.5]]


def test_mean_and_max_equal_those_of_the_real_vectors(sets: tuple[torch.Tensor, torch.Tensor]) -> None:
    values, mask = sets
    for row in range(2):
        real = values[row, mask[row]]
        torch.testing.assert_close(masked_mean(values, mask)[row], real.mean(0))
        torch.testing.assert_close(masked_max(values, mask)[row], real.max(0).values)


def test_mean_and_max_of_an_empty_set_are_zero(sets: tuple[torch.Tensor, torch.Tensor]) -> None:
    values, mask = sets
    assert not masked_mean(values, mask)[2].any()
    assert not masked_max(values, mask)[2].any()


def test_max_of_negative_vectors_is_not_the_padding() -> None:
    values, mask = torch.tensor([[[-3.0], [-2.0], [0.0]]]), torch.tensor([[True, True, False]])
    assert masked_max(values, mask).item() == -2.0


def test_blank_keeps_a_linear_map_free_of_nan_gradients(sets: tuple[torch.Tensor, torch.Tensor]) -> None:
    values, mask = sets
    weight = torch.ones(5, requires_grad=True)
    ((blank(values, mask) * weight).sum(-1) * mask).sum().backward()
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, values[mask].sum(0))
