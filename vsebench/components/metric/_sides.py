"""What queries are ranked against, where that is not their own split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Gallery:
    """The items of a gallery, as :class:`~vsebench.components.metric.base.Predictions` has those of a split.

    Args:
        labels: int64 (m,), or 0/1 (m, C) for multi-label data.
        embeddings: ``image`` float32 (m, E), ``text`` float32 (captions, E).
        owner: int64 (captions,), the item of each caption.
        groups: int64 (m,), in the numbers of the queries' groups.
        pairs: ``i2t`` -> float32 (queries, captions), ``t2i`` -> float32 (queries, m), where pairs are scored.
        positions: int64 (m,), the items in the dataset file.
    """

    labels: np.ndarray
    embeddings: Mapping[str, np.ndarray]
    owner: np.ndarray
    groups: np.ndarray
    pairs: Mapping[str, np.ndarray] = field(default_factory=dict)
    positions: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
