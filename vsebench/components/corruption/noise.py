"""Gaussian noise."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt, Le

from vsebench.components.corruption.base import Corruption
from vsebench.core.registry import CORRUPTIONS


@CORRUPTIONS.register(
    "noise",
    source="Hendrycks and Dietterich 2019, arXiv:1903.12261, with noise stated by its std",
    meaning={
        "image": "noise by its std, for pixels in [0, 1]",
        "features": "noise of precomputed features in units of their std",
    },
    axis={"image": "std of noise (pixels in [0, 1])", "features": "noise in units of std"},
)
class Noise(Corruption):
    """Add Gaussian noise to pixels, or to precomputed features.

        x' = round(255 · clip(x / 255 + strength · n, 0, 1))        n ~ N(0, 1), for every channel of every pixel
        x' = x + strength · std ⊙ n                                 for every dimension of features

    Strength 0 leaves the input as it is.

    Example:
        >>> Noise().image(np.zeros((3, 2, 2), np.uint8), 0.0, np.random.default_rng(0)).max()
        np.uint8(0)
    """

    def image(
        self, pixels: np.ndarray, strength: Annotated[float, Gt(0), Le(1)], generator: np.random.Generator
    ) -> np.ndarray:
        """Return noisy pixels. Shape: uint8, any -> the same."""
        if not strength:
            return pixels
        noise = generator.standard_normal(pixels.shape, np.float32)
        changed: np.ndarray = np.rint(np.clip(pixels + np.float32(255 * strength) * noise, 0, 255)).astype(np.uint8)
        return changed

    def features(
        self,
        values: np.ndarray,
        strength: Annotated[float, Gt(0), Le(100)],
        std: np.ndarray,
        generator: np.random.Generator,
    ) -> np.ndarray:
        """Return noisy features. Shape: float (N, D), std (D,) -> float32 (N, D)."""
        if not strength:
            return values
        noise = generator.standard_normal(values.shape, np.float32)
        noisy: np.ndarray = (values + np.float32(strength) * std.astype(np.float32) * noise).astype(np.float32)
        return noisy
