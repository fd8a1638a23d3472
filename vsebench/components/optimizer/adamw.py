"""Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from vsebench.components.optimizer._adam import AdamOptions
from vsebench.core.registry import OPTIMIZERS


@OPTIMIZERS.register("adamw", source="Loshchilov and Hutter 2019, arXiv:1711.05101")
def adamw(
    parameters: Sequence[Mapping[str, Any]],
    *,
    options: AdamOptions = AdamOptions(weight_decay=0.01),
) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay.

    Args:
        parameters: groups with ``params``, ``lr_scale`` and ``decay`` (wired).
        options: of Adam.

    Example:
        >>> group = {"params": [torch.ones(2, requires_grad=True)], "lr_scale": 0.1, "decay": True}
        >>> adamw([group], lr=0.5).param_groups[0]["lr"]
        0.05
    """
    return options.build(torch.optim.AdamW, parameters)
