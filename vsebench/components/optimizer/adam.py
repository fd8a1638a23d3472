"""Adam, weight decay as an L2 term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from vsebench.components.optimizer._adam import AdamOptions
from vsebench.core.registry import OPTIMIZERS


@OPTIMIZERS.register("adam", source="Kingma and Ba 2015, arXiv:1412.6980")
def adam(
    parameters: Sequence[Mapping[str, Any]],
    *,
    options: AdamOptions = AdamOptions(),
) -> torch.optim.Optimizer:
    """Adam, weight decay as an L2 term.

    Args:
        parameters: groups with ``params``, ``lr_scale`` and ``decay`` (wired).
        options: of Adam.

    Example:
        >>> group = {"params": [torch.ones(2, requires_grad=True)], "lr_scale": 0.1, "decay": True}
        >>> adam([group], lr=0.5).param_groups[0]["lr"]
        0.05
    """
    return options.build(torch.optim.Adam, parameters)
