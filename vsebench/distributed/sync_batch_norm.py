"""Batch normalisation over the items of all processes, on any device: torch's own SyncBatchNorm needs GPUs.

    y = (x - μ) / sqrt(σ² + ε) · w + b,  μ and σ² over the items of all processes

Gradients of w and b are those of one's own items; whoever adds up the processes' gradients completes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

Add = Callable[[Tensor], Tensor]


class OverAllProcesses(TorchFunctionMode):
    """Within it, ``F.batch_norm`` in training sees the items of all processes, whatever module calls it.

    Modules stay what they are: converted ones (``convert_sync_batchnorm``) would lose the activation that timm's carry,
    and the lists of frozen modules would point at those that they replaced.

    Args:
        add: a tensor -> its sum over all processes.
    """

    def __init__(self, add: Add) -> None:
        super().__init__()
        self.add = add

    def __torch_function__(
        self, func: Any, types: Iterable[Any], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Replace the one function."""
        if func is F.batch_norm:
            replaced = _batch_norm(self.add, *args, **(kwargs or {}))
            if replaced is not None:
                return replaced
        return func(*args, **(kwargs or {}))


def _batch_norm(
    add: Add,
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor | None:
    """``F.batch_norm`` with the statistics of all processes; None where it does not use those of the batch."""
    if not training:
        return None
    values = input.to(torch.promote_types(input.dtype, torch.float32))
    dims = [d for d in range(values.ndim) if d != 1]
    with torch.no_grad():
        # Two sums, not the sum of squares: with means far from 0 their difference would lose all digits.
        size = torch.full_like(values[:1].sum(dims), values.numel() // values.shape[1])
        total, count = add(torch.stack([values.sum(dims), size])).unbind()
        if count[0] < 2:
            raise ValueError(f"batch normalisation needs more than 1 value per channel, got shape {tuple(input.shape)}")
        mean = total / count
        var = add((values - _wide(mean, values)).square().sum(dims)) / count
        if running_mean is not None and running_var is not None:
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((var * count / (count - 1)).to(running_var.dtype), momentum)
    result: Tensor = _Normalise.apply(values, mean, (var + eps).rsqrt(), count, add)  # type: ignore[no-untyped-call]
    if weight is not None:
        result = result * _wide(weight, result)
    if bias is not None:
        result = result + _wide(bias, result)
    return result.to(input.dtype)


class _Normalise(torch.autograd.Function):
    """(x - μ) · s, where μ and s = 1/sqrt(σ² + ε) depend on the items of all processes.

    dx = s · (dy - mean(dy) - y · mean(dy · y)), means over all processes
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, mean: Tensor, scale: Tensor, count: Tensor, add: Add) -> Tensor:
        result = (values - _wide(mean, values)) * _wide(scale, values)
        ctx.save_for_backward(result, scale, count)
        ctx.add = add
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        result, scale, count = ctx.saved_tensors
        (gradient,) = gradients
        dims = [d for d in range(result.ndim) if d != 1]
        sums = ctx.add(torch.stack([gradient.sum(dims), (gradient * result).sum(dims)])) / count
        change = gradient - _wide(sums[0], result) - result * _wide(sums[1], result)
        return change * _wide(scale, result), None, None, None, None


def _wide(channels: Tensor, like: Tensor) -> Tensor:
    """(C,) -> (1, C, 1, …)."""
    return channels.view(1, -1, *[1] * (like.ndim - 2))
