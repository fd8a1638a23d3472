"""Objectives: what training minimises."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vsebench.types import Batch, Output


class Objective(nn.Module):
    """Say how wrong an output is.

    Constructed with what it takes of the wired ``dims`` {modality: size of its vector}, ``num_classes``,
    ``multi_label``. Computed in float32 also under autocast, which is off inside; cast what comes in with ``.float()``.

    Shape: Output, Batch -> {term: scalar}; the loss is their sum. A weighted sum of several objectives is a list in
    the experiment file. Parameters of an objective are trained and checkpointed with the model's. Draw from torch's
    default generator in training only: a continued run repeats the draws, and eval mode is deterministic.
    """

    def __call__(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The loss terms of a batch."""
        with torch.autocast(batch.index.device.type, enabled=False):
            terms: Any = super().__call__(output, batch)
        return dict(terms)

    def set_progress(self, epoch: float) -> None:
        """Hear how far training is: called before every step with the epochs done, such as 1.25.

        For objectives that change while they train; the others ignore it. It is called again after a resume, so what it
        sets need not be in the state dict. Without a trainer it stays at epoch 0 until somebody calls it.
        """

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The loss terms of a batch, each averaged over it."""
        raise NotImplementedError(type(self).__name__)
