"""Precomputed features as tokens of any modality."""

from __future__ import annotations

import pytest
import torch

from vsebench.core.errors import ConfigError, DataError
from vsebench.core.registry import registry_of
from vsebench.core.types import Tokens

KINDS = ("image_encoder", "text_encoder", "audio_encoder")
TOKENS = Tokens(
    torch.tensor([[[4.0, -9.0, 0.0], [0.0, 0.0, 0.0]], [[3.0, 4.0, 0.0], [1.0, 0.0, 0.0]]]), torch.ones(2, 2).bool()
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("transform", "first"),
    [
        ("none", [4.0, -9.0, 0.0]),
        ("sqrt", [2.0, -3.0, 0.0]),
        ("l2", [4 / 97**0.5, -9 / 97**0.5, 0.0]),
        ("sqrt_l2", [2 / 13**0.5, -3 / 13**0.5, 0.0]),
    ],
)
def test_transforms(kind: str, transform: str, first: list[float]) -> None:
    encoder = registry_of(kind).build("features", {"transform": transform}, feature_dim=3)
    assert encoder.frozen
    assert encoder.dim_out == 3
    result = encoder(TOKENS)
    torch.testing.assert_close(result.values[0, 0], torch.tensor(first))
    assert result.values[0, 1].tolist() == [0.0, 0.0, 0.0], "a zero vector stays one, never NaN"
    assert torch.equal(result.mask, TOKENS.mask)


@pytest.mark.parametrize("kind", KINDS)
def test_a_dataset_without_features(kind: str) -> None:
    with pytest.raises(ConfigError, match=f"no precomputed {kind.partition('_')[0]} features"):
        registry_of(kind).build("features", {}, feature_dim=None)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", KINDS)
def test_features_that_are_not_finite(kind: str, value: float) -> None:
    values, mask = TOKENS.values.clone(), TOKENS.mask.clone()
    values[1, 1, 2] = value
    encoder = registry_of(kind).build("features", {}, feature_dim=3)
    with pytest.raises(
        DataError, match=f"precomputed {kind.partition('_')[0]} features of 1 tokens are NaN or infinite"
    ):
        encoder(Tokens(values, mask))
    mask[1, 1] = False
    encoder(Tokens(values, mask))  # padding has no meaning
