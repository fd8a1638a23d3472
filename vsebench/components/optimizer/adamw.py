"""Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Lt

from vsebench.components.optimizer.base import scaled_groups
from vsebench.core.registry import OPTIMIZERS


@OPTIMIZERS.register("adamw", source="Loshchilov and Hutter 2019, arXiv:1711.05101")
def adamw(
    parameters: Sequence[Mapping[str, Any]],
    *,
    lr: Annotated[float, Gt(0)] = 1e-3,
    beta1: Annotated[float, Ge(0), Lt(1)] = 0.9,
    beta2: Annotated[float, Ge(0), Lt(1)] = 0.999,
    eps: Annotated[float, Gt(0)] = 1e-8,
    weight_decay: Annotated[float, Ge(0)] = 0.01,
) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay.

    Args:
        parameters: groups with ``params``, ``lr_scale`` and ``decay`` (wired).
        lr: learning rate, > 0, times the group's ``lr_scale``.
        beta1: in [0, 1), of the mean.
        beta2: in [0, 1), of the square.
        eps: added to the root.
        weight_decay: ≥ 0; biases and normalisation layers have none.

    Example:
        >>> group = {"params": [torch.ones(2, requires_grad=True)], "lr_scale": 0.1, "decay": True}
        >>> adamw([group], lr=0.5).param_groups[0]["lr"]
        0.05
    """
    return torch.optim.AdamW(
        scaled_groups(parameters, lr, weight_decay), lr=lr, betas=(beta1, beta2), eps=eps, fused=True
    )
