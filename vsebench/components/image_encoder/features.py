"""Precomputed image features."""

from __future__ import annotations

from vsebench.components.encoder._precomputed import Precomputed, Transform
from vsebench.core.registry import IMAGE_ENCODERS


@IMAGE_ENCODERS.register(
    "features",
    source="Anderson et al. 2018, arXiv:1707.07998 (bottom-up region features); any precomputed features",
    reads="features",
)
class ImageFeatures(Precomputed):
    """Take the dataset's precomputed image features as tokens: regions, such as those of bottom-up
    attention, or one vector of an image.

    Args:
        feature_dim: D of the dataset's features (wired).
        transform: ``none``, ``l2`` (x / ‖x‖₂), ``sqrt`` (sign(x) √|x|, for histograms), or ``sqrt_l2``, both.

    Shape: Tokens (B, N, D) -> Tokens (B, N, D); N may differ between items.

    Raises: ConfigError for a dataset without image features.

    Example:
        >>> ImageFeatures(2048).dim_out
        2048
    """

    def __init__(self, feature_dim: int | None, *, transform: Transform = "none") -> None:
        super().__init__("image", feature_dim, transform)
