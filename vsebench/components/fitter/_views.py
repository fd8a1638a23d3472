"""What the hashing methods see of the training items: both modalities as matrices, and their labels."""

from __future__ import annotations

import torch
from torch import Tensor

from vsebench.components.fitter.base import FitData
from vsebench.core.errors import TrainingError

#: The two modalities that codes are learnt for.
PAIR = ("image", "text")


def matrix(data: FitData, modality: str, who: str) -> Tensor:
    """Return a modality's vectors in float64 on the CPU, where the algebra is done.

    Raises: TrainingError for fewer than two items or a vector that is not finite, naming ``who`` and the first one.
    """
    rows = data.vectors(modality).detach().cpu().double()
    if len(rows) < 2:
        raise TrainingError(f"fitter '{who}' needs at least 2 training items; the training split has {len(rows)}.")
    bad = (~torch.isfinite(rows)).any(dim=1).nonzero()
    if len(bad):
        raise TrainingError(
            f"fitter '{who}': the {modality} vector of training item {int(bad[0])} is not finite "
            f"({len(bad)} of {len(rows)} are not)."
        )
    return rows


def centred(data: FitData, modality: str, who: str) -> tuple[Tensor, Tensor]:
    """Return a modality's vectors less their mean, and the mean.

    Shape: float64 (n, D_m), (D_m,)

    Raises: TrainingError as :func:`matrix`, and for vectors that are all the same.
    """
    rows = matrix(data, modality, who)
    mean = rows.mean(dim=0)
    rows = rows - mean
    if not bool(rows.abs().max() > 1e-6 * mean.abs().max()):
        raise TrainingError(f"fitter '{who}': all {modality} vectors of the training items are the same.")
    return rows, mean


def unit_labels(data: FitData, who: str) -> Tensor:
    """Label vectors of length 1, so that their products are cosines; zeros for an item without a label.

    Shape: float32 (n, K), on the material's device.

    Raises: TrainingError for data without labels.
    """
    if data.num_classes < 1:
        raise TrainingError(f"fitter '{who}' learns from labels, and the training split has none.")
    labels = data.multi_hot
    if not bool(labels.any()):
        raise TrainingError(f"fitter '{who}' learns from labels, and no training item has one.")
    return torch.nn.functional.normalize(labels, dim=1)


def generator(seed: int) -> torch.Generator:
    """Return a generator on the CPU, so that a seed draws the same numbers whatever the device."""
    return torch.Generator().manual_seed(seed)
