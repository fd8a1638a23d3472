"""One item of a dataset, as builders hand it to the writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

#: ``rest`` items are in named sets only, such as the database of a hashing protocol: nothing is trained, chosen or
#: counted on them.
SPLITS = ("train", "val", "test", "rest")


@dataclass(frozen=True)
class Item:
    """One thing in several modalities: an image, texts, a sound, precomputed features, and its labels.

    Args:
        id: unique in the dataset.
        image: encoded bytes (JPEG, PNG, …) as they came, or None.
        texts: any number of captions.
        label: class number or name; a tuple of them for multi-label data; None for all items of unlabelled data.
        split: one of :data:`SPLITS`; None for all items where the split is made by rule.
        group: items of one group never part in a split made by rule (views of one product); its own id by default.
        landmarks: float (L, 3): x, y in pixels, visible 0 or 1.
        boxes: float (M, 4): x0, y0, x1, y1 in pixels. The provenance says of what: the item, or each of its texts.
        attributes: names and values.
        audio: an encoded sound (WAV, FLAC, OGG, …) as it came, or None.
        features: modality -> float (N, D), precomputed tokens: N regions, words or frames, N may vary, D may not.
        sets: names of the sets it belongs to besides its split, such as ``query``, ``gallery``, ``fold_0``.
        answers: of a question: what its annotators answered -> how many of them, each at least 1.
        slices: named category fields -> the item's value; metrics are given for each value too.
    """

    id: str
    image: bytes | None
    texts: tuple[str, ...]
    label: int | str | tuple[int, ...] | tuple[str, ...] | None
    split: str | None = None
    group: str | None = None
    landmarks: np.ndarray | None = None
    boxes: np.ndarray | None = None
    attributes: Mapping[str, str] | None = None
    audio: bytes | None = None
    features: Mapping[str, np.ndarray] | None = None
    sets: tuple[str, ...] = ()
    answers: Mapping[str, int] | None = None
    slices: Mapping[str, str] | None = None
