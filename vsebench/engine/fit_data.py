"""What a fitter learns from: a model's encoders over the training split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vsebench.components.fitter.base import FitData
from vsebench.core.registry import AUGMENTATIONS
from vsebench.core.types import Tokens
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model

#: Called with the number of an outer iteration and what is said of it.
Report = Callable[[int, Mapping[str, float]], None]


class LoaderFitData(FitData):
    """The items of a feed through a model's encoders and poolings. An item's text is its first.

    Args:
        model: with a fitter; its encoders may be trained by :meth:`encode`.
        loader: of the training split.
        report: told of each outer iteration.
    """

    def __init__(self, model: Model, loader: Loader, *, seed: int, device: torch.device, report: Report) -> None:
        self.model, self.loader, self.callback = model, loader, report
        self.dims = {m: int(pool.dim_out) for m, pool in model.pooling.items()}  # type: ignore[arg-type]
        self.labels = loader.labels
        self.num_classes = model.num_classes
        self.seed, self.device = seed, device
        self._kept: dict[str, Tensor] = {}

    def vectors(self, modality: str) -> Tensor:
        """As :class:`FitData` says; an encoder that is trained meanwhile has its vectors of before."""
        if modality not in self._kept:
            size = self.model.system.train.eval_batch_size
            starts = range(0, len(self), size)
            self._parts(modality).eval()
            with torch.no_grad():
                parts = [self._pooled(modality, np.arange(s, min(s + size, len(self))), training=False) for s in starts]
            self._kept[modality] = torch.cat(parts)
        return self._kept[modality]

    def encode(self, modality: str, rows: Tensor) -> Tensor:
        """As :class:`FitData` says; pixels are augmented as ``train.augment`` says."""
        self._parts(modality).train()
        return self._pooled(modality, rows.cpu().numpy(), training=True)

    def parameters(self, modality: str) -> list[nn.Parameter]:
        """As :class:`FitData` says."""
        return [p for p in self._parts(modality).parameters() if p.requires_grad]

    def report(self, step: int, numbers: Mapping[str, float]) -> None:
        """Tell the run."""
        self.callback(step, numbers)

    def _parts(self, modality: str) -> nn.ModuleList:
        return nn.ModuleList([self.model.encoders[modality], self.model.pooling[modality]])

    def _pooled(self, modality: str, rows: np.ndarray, *, training: bool) -> Tensor:
        raw: Any = self.loader.inputs_of(modality, rows).to(self.device)
        augment = self.model.system.train.augment
        if training and modality == "image" and augment is not None and not isinstance(raw, Tokens):
            raw = AUGMENTATIONS.build(augment.name, augment.options, pixels=raw)
        pooled: Tensor = self.model.pooling[modality](self.model.encode_one(modality, raw), {})
        return pooled.float()
