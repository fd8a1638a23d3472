"""Objectives: what training minimises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vsebench.core.culprit import described
from vsebench.core.errors import ComponentError
from vsebench.core.types import Batch, Output


class Objective(nn.Module):
    """Say how wrong an output is.

    Constructed with what it takes of the wired ``dims`` {modality: size of its vector}, ``num_classes``,
    ``multi_label``. Computed in float32 also under autocast, which is off inside; cast what comes in with ``.float()``.

    Shape: Output, Batch -> {term: scalar}; the loss is their sum. A weighted sum of several objectives is a list in
    the experiment file. Parameters of an objective are trained and checkpointed with the model's. Draw from torch's
    default generator in training only: a continued run repeats the draws, and eval mode is deterministic.
    """

    def __call__(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss terms of a batch.

        Raises: ComponentError when they are not what a subclass must return.
        """
        with torch.autocast(batch.positions.device.type, enabled=False):
            terms: Any = super().__call__(output, batch)
        wrong = _wrong(terms)
        if wrong:
            raise ComponentError(f"{described(self, 'forward')} returns {wrong}.")
        return dict(terms)

    def set_progress(self, epoch: float) -> None:
        """Hear how far training is: called before every step with the epochs done, such as 1.25.

        For objectives that change while they train; the others ignore it. It is called again after a resume, so what it
        sets need not be in the state dict. Without a trainer it stays at epoch 0 until somebody calls it.
        """

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss terms of a batch, each averaged over it."""
        raise NotImplementedError(type(self).__name__)


def _wrong(terms: Any) -> str:
    """Return what is wrong with an objective's result; empty when nothing is."""
    if not isinstance(terms, Mapping):
        return f"{type(terms).__name__}; expected its terms by name"
    for name, term in terms.items():
        if not isinstance(term, Tensor):
            return f"{name} as {type(term).__name__}; expected a tensor of one number"
        if term.ndim:
            return f"{name} of {tuple(term.shape)}; expected one number for the batch"
    return ""
