"""Batch normalisation over processes, with one process that plays two; real ones are in test_parallel.py."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsebench.distributed.sync_batch_norm import OverAllProcesses


def alone(tensor: Tensor) -> Tensor:
    return tensor.clone()


def doubled(tensor: Tensor) -> Tensor:
    """The sum over two processes that have the same items."""
    return 2 * tensor


def outcome(layer: Any, values: Tensor) -> dict[str, Tensor]:
    values = values.clone().requires_grad_()
    result = layer(values)
    (result * torch.arange(result.numel(), dtype=result.dtype).view_as(result).cos()).sum().backward()
    gradients = {name: p.grad for name, p in layer.named_parameters()}
    return {"found": result.detach(), "values": values.grad, **gradients, **layer.state_dict()}  # type: ignore[dict-item]


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 3), (6, 4, 3, 2)])
@pytest.mark.parametrize("options", [{}, {"affine": False}, {"momentum": None}, {"track_running_stats": False}])
def test_of_one_process_is_torchs_own(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    kind = nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d
    values = 100 + torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wanted = outcome(kind(4, **options).double(), values)
    with OverAllProcesses(alone):
        result = outcome(kind(4, **options).double(), values)
    assert result.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(result[name], value, msg=name)


def test_the_gradient_is_that_of_the_values() -> None:
    values = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    layer = nn.BatchNorm1d(3).double()
    with OverAllProcesses(alone):
        assert torch.autograd.gradcheck(layer, values)


def test_the_running_variance_counts_the_items_of_all() -> None:
    values = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    layer, wanted = nn.BatchNorm1d(4), nn.BatchNorm1d(4)
    with OverAllProcesses(doubled):
        layer(values)
    wanted(torch.cat([values, values]))
    torch.testing.assert_close(layer.running_var, wanted.running_var)
    torch.testing.assert_close(layer.running_mean, wanted.running_mean)


def test_one_item_is_enough_where_others_have_more() -> None:
    layer = nn.BatchNorm1d(4)
    with OverAllProcesses(doubled):
        assert torch.isfinite(layer(torch.randn(1, 4))).all()
    with OverAllProcesses(alone), pytest.raises(ValueError, match="needs more than 1 value per channel"):
        layer(torch.randn(1, 4))


def test_half_precision_keeps_its_type_and_float32_statistics() -> None:
    values = torch.randn(8, 4, generator=torch.Generator().manual_seed(0)).bfloat16()
    running = torch.zeros(4), torch.ones(4)
    with OverAllProcesses(alone):
        result = F.batch_norm(values, *running, training=True)
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(running[0], 0.1 * values.float().mean(0))


def test_eval_mode_is_left_alone() -> None:
    layer = nn.BatchNorm1d(4).eval()
    values = torch.randn(3, 4)

    def refuse(tensor: Tensor) -> Tensor:
        raise AssertionError("nothing to add up")

    with OverAllProcesses(refuse):
        assert torch.equal(layer(values), F.batch_norm(values, torch.zeros(4), torch.ones(4)))
