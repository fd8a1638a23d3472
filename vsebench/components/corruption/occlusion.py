"""A part of the picture covered."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from annotated_types import Gt, Le

from vsebench.components.corruption.base import Corruption
from vsebench.core.registry import CORRUPTIONS

GREY = 128


@CORRUPTIONS.register(
    "occlusion",
    source="own; as random erasing (Zhong et al. 2020, arXiv:1708.04896) with a grey rectangle of a stated share",
    meaning={"image": "occlusion by the share of the area"},
    axis={"image": "share of the area covered"},
    unit="%",
)
class Occlusion(Corruption):
    """Cover a grey rectangle of the picture's proportions, at a random place that lies inside.

    The strength is its share of the area, in [0, 1]; sides are rounded to whole pixels.

    Example:
        >>> Occlusion().image(np.zeros((1, 2, 2), np.uint8), 1.0, np.random.default_rng(0)).tolist()
        [[[128, 128], [128, 128]]]
    """

    def image(
        self, pixels: np.ndarray, strength: Annotated[float, Gt(0), Le(1)], generator: np.random.Generator
    ) -> np.ndarray:
        """Return covered pixels. Shape: uint8 (…, H, W) -> the same."""
        height, width = pixels.shape[-2:]
        rows, columns = (round(math.sqrt(strength) * side) for side in (height, width))
        top, left = (int(generator.integers(side - cover + 1)) for side, cover in ((height, rows), (width, columns)))
        changed = pixels.copy()
        changed[..., top : top + rows, left : left + columns] = GREY
        return changed
