"""Precomputed features as tokens of any modality."""

from __future__ import annotations

import pytest
import torch

from vsebench.errors import ConfigError
from vsebench.registry import registry_of
from vsebench.types import Tokens

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
    found = encoder(TOKENS)
    torch.testing.assert_close(found.values[0, 0], torch.tensor(first))
    assert found.values[0, 1].tolist() == [0.0, 0.0, 0.0], "a zero vector stays one, never NaN"
    assert torch.equal(found.mask, TOKENS.mask)


@pytest.mark.parametrize("kind", KINDS)
def test_a_dataset_without_features(kind: str) -> None:
    with pytest.raises(ConfigError, match=f"no precomputed {kind.partition('_')[0]} features"):
        registry_of(kind).build("features", {}, feature_dim=None)
