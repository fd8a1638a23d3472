"""Adam's options, which both of its forms have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Lt

from vsebench.components.optimizer.base import scaled_groups
from vsebench.core.shared_options import SharedOptions


@dataclass(frozen=True)
class AdamOptions(SharedOptions):
    """Options of Adam.

    Args:
        lr: learning rate, > 0, times the group's ``lr_scale``.
        beta1: in [0, 1), of the mean.
        beta2: in [0, 1), of the square.
        eps: added to the root.
        weight_decay: ≥ 0; biases and normalisation layers have none.
    """

    lr: Annotated[float, Gt(0)] = 1e-3
    beta1: Annotated[float, Ge(0), Lt(1)] = 0.9
    beta2: Annotated[float, Ge(0), Lt(1)] = 0.999
    eps: Annotated[float, Gt(0)] = 1e-8
    weight_decay: Annotated[float, Ge(0)] = 0.0

    def build(self, form: type[torch.optim.Adam], parameters: Sequence[Mapping[str, Any]]) -> torch.optim.Optimizer:
        """Construct ``Adam`` or ``AdamW``."""
        groups = scaled_groups(parameters, self.lr, self.weight_decay)
        return form(groups, lr=self.lr, betas=(self.beta1, self.beta2), eps=self.eps, fused=True)
