"""Optimisers: parameter groups to a torch optimiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def scaled_groups(parameters: Sequence[Mapping[str, Any]], lr: float, weight_decay: float) -> list[dict[str, Any]]:
    """torch's parameter groups: the learning rate times ``lr_scale``, decay only where ``decay`` says so."""
    return [
        {"params": g["params"], "lr": lr * g["lr_scale"], "weight_decay": weight_decay if g["decay"] else 0.0}
        for g in parameters
    ]
