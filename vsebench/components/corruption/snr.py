"""White noise at a signal-to-noise ratio."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from vsebench.components.corruption.base import Corruption
from vsebench.core.registry import CORRUPTIONS


@CORRUPTIONS.register(
    "snr",
    source="own; the usual mixing at a stated ratio, exact for each sound",
    meaning={"audio": "noise of sounds by the signal-to-noise ratio"},
    axis={"audio": "signal-to-noise ratio in dB"},
    title="noise",
    unit=" dB",
    falling=True,
)
class Snr(Corruption):
    """Add white Gaussian noise of a stated power relative to the sound's own.

        x' = x + a n,  a = sqrt(mean(x²) / (mean(n²) 10^(strength/10))),  n ~ N(0, 1)

    The ratio, in dB, holds for the very noise that was drawn; infinity leaves the sound as it is. Silence has no power
    that noise could be relative to, and stays. Nothing is clipped.

    Example:
        >>> Snr().audio(np.zeros(3, np.float32), 10.0, np.random.default_rng(0)).tolist()
        [0.0, 0.0, 0.0]
    """

    def audio(
        self, samples: np.ndarray, strength: Annotated[float, Ge(-60), Le(100)], generator: np.random.Generator
    ) -> np.ndarray:
        """Return the sound with noise. Shape: float (T,) -> float32 (T,); T may be 0."""
        power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
        if not power or math.isinf(strength):
            return samples
        noise = generator.standard_normal(len(samples))
        scale = math.sqrt(power / float(np.mean(noise * noise)) / 10 ** (strength / 10))
        return (samples + scale * noise).astype(np.float32)
