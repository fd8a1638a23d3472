"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Lt

from vsebench.components.optimizer.base import scaled_groups
from vsebench.core.errors import ConfigError
from vsebench.core.registry import OPTIMIZERS


@OPTIMIZERS.register("sgd", source="Sutskever et al. 2013, ICML; the source's optimiser")
def sgd(
    parameters: Sequence[Mapping[str, Any]],
    *,
    lr: Annotated[float, Gt(0)] = 0.01,
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9,
    nesterov: bool = False,
    weight_decay: Annotated[float, Ge(0)] = 5e-4,
) -> torch.optim.Optimizer:
    """Stochastic gradient descent with momentum.

    Args:
        parameters: groups with ``params``, ``lr_scale`` and ``decay`` (wired).
        lr: learning rate, > 0, times the group's ``lr_scale``.
        momentum: in [0, 1).
        nesterov: look ahead; needs momentum.
        weight_decay: ≥ 0; biases and normalisation layers have none.

    Raises: ConfigError for ``nesterov`` without momentum.

    Example:
        >>> group = {"params": [torch.ones(2, requires_grad=True)], "lr_scale": 0.1, "decay": True}
        >>> sgd([group], lr=0.5).param_groups[0]["lr"]
        0.05
    """
    if nesterov and not momentum:
        raise ConfigError("optimizer 'sgd': nesterov needs a momentum > 0.", path=("nesterov",))
    return torch.optim.SGD(
        scaled_groups(parameters, lr, weight_decay), lr=lr, momentum=momentum, nesterov=nesterov, fused=True
    )
