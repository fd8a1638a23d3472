"""Heads: the joint vector to logits."""

from __future__ import annotations

from torch import Tensor, nn


class Head(nn.Module):
    """Score the classes. Constructed with what it takes of the wired ``dim_in``, ``dims`` {modality: D_m},
    ``num_classes`` and ``multi_label``.

    Shape: (B, dim_in) -> logits (B, num_classes). A head registered with ``reads=("vectors",)`` or
    ``reads=("joint", "vectors")`` is called with ([joint,] vectors {m: (B, D_m)}, present {m: bool (B,)}, parts):
    ``present`` says which items have a modality; ``parts``, a dictionary or None, takes each part's own logits.
    """

    def forward(self, joint: Tensor) -> Tensor:
        """Score a batch."""
        raise NotImplementedError(type(self).__name__)

    def observe(self, joint: Tensor, labels: Tensor) -> None:
        """Update statistics of the training items (running class means). Called once per training step, before
        ``forward``, without gradients. Most heads keep none."""
