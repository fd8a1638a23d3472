"""Text of an objective and of its own test."""

from __future__ import annotations

MODULE = '''\
"""TITLE."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
import vsebench as vb
from annotated_types import Ge
from torch import Tensor


@vb.OBJECTIVES.register("$name", source="where it comes from: a paper, a section, your notebook")
class $cls(vb.Objective):
    """Classify, with less weight on items that are right already.

        L = mean of (1 - p)^gamma · (-log p),  p the probability of the right answer

    Args:
        gamma: ≥ 0; 0 is cross entropy.

    Shape: Output.logits (B, C), Batch.labels (B,) or (B, C) -> {"$name": scalar}.

    Example:
        >>> $cls(gamma=1.0).gamma
        1.0
    """

    def __init__(self, *, gamma: Annotated[float, Ge(0)] = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, output: vb.Output, batch: vb.Batch) -> dict[str, Tensor]:
        """The loss term, averaged over the batch."""
        if output.logits is None:
            raise ValueError("objective '$name' needs logits")
        logits = output.logits.float()  # losses are float32, whatever the model computes in
        if batch.labels.ndim > 1:
            loss = F.binary_cross_entropy_with_logits(logits, batch.labels.float(), reduction="none")
        else:
            loss = F.cross_entropy(logits, batch.labels, reduction="none")
        return {"$name": ((1 - torch.exp(-loss)) ** self.gamma * loss).mean()}
'''

TEST = """
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    batch = vb.Batch({}, labels, torch.arange(4), torch.arange(4))
    result = plugin.$cls(gamma=0.0)(vb.Output(logits), batch)["$name"]
    torch.testing.assert_close(result, torch.nn.functional.cross_entropy(logits, labels))
"""
