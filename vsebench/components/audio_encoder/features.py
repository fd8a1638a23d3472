"""Precomputed audio features."""

from __future__ import annotations

from vsebench.components.encoder._precomputed import Precomputed, Transform
from vsebench.core.registry import AUDIO_ENCODERS


@AUDIO_ENCODERS.register(
    "features", source="precomputed audio features: frames, or one vector of a clip", reads="features"
)
class AudioFeatures(Precomputed):
    """Take the dataset's precomputed audio features as tokens: frames, or one vector of a sound.

    Args:
        feature_dim: D of the dataset's features (wired).
        transform: ``none``, ``l2`` (x / ‖x‖₂), ``sqrt`` (sign(x) √|x|, for histograms), or ``sqrt_l2``, both.

    Shape: Tokens (B, N, D) -> Tokens (B, N, D); N may differ between items.

    Raises: ConfigError for a dataset without audio features.

    Example:
        >>> AudioFeatures(2048).dim_out
        2048
    """

    def __init__(self, feature_dim: int | None, *, transform: Transform = "none") -> None:
        super().__init__("audio", feature_dim, transform)
