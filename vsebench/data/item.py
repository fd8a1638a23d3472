"""One item of a dataset, as builders hand it to the writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Item:
    """An image with its texts and labels.

    Args:
        id: unique in the dataset.
        image: encoded bytes (JPEG, PNG, …) as they came, or None.
        texts: any number of captions.
        label: class number or name; a tuple of them for multi-label data.
        split: ``train``, ``val`` or ``test``; None where the split is made by rule.
        group: items of one group never part in a split made by rule (views of one product); its own id by default.
        landmarks: float (L, 3): x, y in pixels, visible 0 or 1.
        boxes: float (M, 4): x0, y0, x1, y1 in pixels.
        attributes: names and values.
    """

    id: str
    image: bytes | None
    texts: tuple[str, ...]
    label: int | str | tuple[int, ...] | tuple[str, ...]
    split: str | None = None
    group: str | None = None
    landmarks: np.ndarray | None = None
    boxes: np.ndarray | None = None
    attributes: Mapping[str, str] | None = None
