"""Heads: the joint vector to logits."""

from __future__ import annotations

from torch import Tensor, nn


class Head(nn.Module):
    """Score the classes. Constructed with the wired ``dim_in`` and ``num_classes``.

    Shape: (B, dim_in) -> logits (B, num_classes).
    """

    def forward(self, joint: Tensor) -> Tensor:
        """Score a batch."""
        raise NotImplementedError(type(self).__name__)

    def observe(self, joint: Tensor, labels: Tensor) -> None:
        """Update statistics of the training items (running class means). Called once per training step, before
        ``forward``, without gradients. Most heads keep none."""
