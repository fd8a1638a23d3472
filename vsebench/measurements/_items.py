"""Raw inputs of some test items, and prepared galleries of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from vsebench.core.types import Batch, TokenIds, Tokens, Waveforms
from vsebench.data.dataset import Dataset
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model

#: Items that are drawn, the larger batch.
COUNT = 64


class Items:
    """Items drawn from the test split by a fixed seed, as raw as the model reads them: pixels, ids, waves or the
    dataset's own features, in the host's memory. Of fewer than 64 items some come several times.

    Args:
        count: number of items.
    """

    def __init__(self, dataset: Dataset, model: Model, count: int = COUNT) -> None:
        whole = np.asarray(dataset.splits["test"], dtype=np.int64)
        drawn = np.random.default_rng(0).permutation(whole)[:count]
        self.model = model
        self.loader = Loader(dataset, "test", model.system, model.encoders, cache=False, among=drawn)
        self.loader.encoded.clear()  # frozen encoders are part of the cost
        self.rows = np.resize(np.random.default_rng(1).permutation(len(self.loader)), count)

    def batch(self, rows: np.ndarray) -> Batch:
        """Return some items, in the host's memory."""
        return self.loader.batch(rows)

    def raw(self, modality: str, rows: np.ndarray) -> Any:
        """One modality of some items, in the host's memory."""
        return self.loader.inputs_of(modality, rows)

    def describe(self) -> dict[str, str]:
        """Modality -> what goes into the model, in words."""
        return {m: _said(self.raw(m, self.rows), m in self.loader.precomputed) for m in self.model.encoders}


def tiled(rows: torch.Tensor | Tokens, count: int) -> Any:
    """Return the rows again and again, up to a number. Shape: (n, …) -> (count, …)"""
    have = len(rows.values) if isinstance(rows, Tokens) else len(rows)
    index = torch.arange(count) % have
    if isinstance(rows, Tokens):
        return rows.take(index.to(rows.mask.device))
    return rows[index.to(rows.device)]


def _said(raw: Any, precomputed: bool) -> str:
    if isinstance(raw, TokenIds):
        return f"{raw.mask.sum(1).float().mean().item():.1f} words or word pieces on average"
    if isinstance(raw, Waveforms):
        return f"{raw.lengths.float().mean().item():,.0f} samples on average"
    if isinstance(raw, Tokens):
        kind = "precomputed features" if precomputed else "tokens"
        return f"{kind}, {raw.mask.sum(1).float().mean().item():.1f} vectors of {raw.dim} on average"
    return f"pixels, {' × '.join(str(size) for size in raw.shape[-2:])}"
