"""Precomputed text features."""

from __future__ import annotations

from vsebench.components.encoder._precomputed import Precomputed, Transform
from vsebench.core.registry import TEXT_ENCODERS


@TEXT_ENCODERS.register(
    "features", source="precomputed text features: topics, bags of words, sentence embeddings", reads="features"
)
class TextFeatures(Precomputed):
    """Take the dataset's precomputed text features as tokens: words, or one vector of a text.

    Args:
        feature_dim: D of the dataset's features (wired).
        transform: ``none``, ``l2`` (x / ‖x‖₂), ``sqrt`` (sign(x) √|x|, for histograms), or ``sqrt_l2``, both.

    Shape: Tokens (B, N, D) -> Tokens (B, N, D); N may differ between items.

    Raises: ConfigError for a dataset without text features.

    Example:
        >>> TextFeatures(2048).dim_out
        2048
    """

    def __init__(self, feature_dim: int | None, *, transform: Transform = "none") -> None:
        super().__init__("text", feature_dim, transform)
