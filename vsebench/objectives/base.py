"""Objectives: what training minimises."""

from __future__ import annotations

from torch import Tensor, nn

from vsebench.types import Batch, Output


class Objective(nn.Module):
    """Say how wrong an output is.

    Constructed with what it takes of the wired ``dims`` {modality: size of its vector}, ``num_classes``,
    ``multi_label``. Computed in float32 also under autocast.

    Shape: Output, Batch -> {term: scalar}; the loss is their sum. A weighted sum of several objectives is a list in
    the experiment file.
    """

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The loss terms of a batch, each averaged over it."""
        raise NotImplementedError(type(self).__name__)
