"""Precomputed features of a dataset file as tokens, whatever the modality."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from vsebench.components.encoder.base import Encoder
from vsebench.core.errors import ConfigError, DataError
from vsebench.core.types import Tokens

Transform = Literal["none", "l2", "sqrt", "sqrt_l2"]


class Precomputed(Encoder):
    """Pass the dataset's own tokens on, normalised where asked for.

    Args:
        modality: for messages.
        feature_dim: D of the dataset's features, or None where it has none.
        transform: see the encoders.

    Raises: ConfigError for a dataset without features of the modality.
    """

    def __init__(self, modality: str, feature_dim: int | None, transform: Transform) -> None:
        super().__init__()
        if feature_dim is None:
            raise ConfigError(
                f"the dataset has no precomputed {modality} features; build it with features, or choose an encoder of "
                f"raw {modality}.",
                path=("name",),
            )
        self.modality, self.transform = modality, transform
        self.dim_out = feature_dim
        self.frozen = True

    def forward(self, tokens: Tokens) -> Tokens:
        """Transform. Shape: (B, N, D) -> (B, N, D).

        Raises: DataError for features that are not finite.
        """
        values: Tensor = tokens.values
        if not bool(values[tokens.mask].isfinite().all()):
            raise DataError(
                f"precomputed {self.modality} features of {int((~values.isfinite()).any(2)[tokens.mask].sum())} tokens "
                "are NaN or infinite; the dataset file is damaged. Build it again."
            )
        if self.transform.startswith("sqrt"):
            values = values.sign() * values.abs().sqrt()
        if self.transform.endswith("l2"):
            values = F.normalize(values, dim=-1, eps=1e-12)
        return tokens.with_values(values)
