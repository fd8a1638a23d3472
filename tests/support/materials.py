"""Training items held in memory, for tests of fitters."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vsebench.components.fitter.base import FitData


class Arrays(FitData):
    """Vectors as they are given, with encoders that are frozen.

    Args:
        vectors: modality -> (n, D_m).
        labels: int64 (n,), or float (n, K) zeros and ones; without them all items are unlabelled.
        num_classes: K; the largest label + 1 where it is not given.

    Attributes:
        reported: what the fit has told, as (step, numbers), in this order.
    """

    def __init__(
        self,
        vectors: Mapping[str, Tensor],
        labels: Tensor | None = None,
        *,
        num_classes: int | None = None,
        seed: int = 0,
    ) -> None:
        self._vectors = {m: v.to(torch.float32) for m, v in vectors.items()}
        self.dims = {m: v.shape[1] for m, v in self._vectors.items()}
        count = len(next(iter(self._vectors.values())))
        self.labels = torch.zeros(count, dtype=torch.int64) if labels is None else labels
        if num_classes is None:
            num_classes = 0 if labels is None else labels.shape[1] if labels.ndim > 1 else int(labels.max()) + 1
        self.num_classes = num_classes
        self.seed = seed
        self.device = torch.device("cpu")
        self.reported: list[tuple[int, dict[str, float]]] = []

    def vectors(self, modality: str) -> Tensor:
        return self._vectors[modality]

    def encode(self, modality: str, rows: Tensor) -> Tensor:
        return self._vectors[modality][rows]

    def parameters(self, modality: str) -> list[nn.Parameter]:
        return []

    def report(self, step: int, numbers: Mapping[str, float]) -> None:
        self.reported.append((step, dict(numbers)))


def topics(
    count: int = 120, classes: int = 3, dims: Mapping[str, int] | None = None, *, noise: float = 0.5, seed: int = 0
) -> tuple[dict[str, Tensor], Tensor]:
    """Items of classes that both modalities show: vectors {modality: (n, D_m)} and labels (n,)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    vectors = {}
    for modality, dim in (dims or {"image": 7, "text": 5}).items():
        centres = torch.randn(classes, dim, generator=generator)
        vectors[modality] = centres[labels] + noise * torch.randn(count, dim, generator=generator)
    return vectors, labels
