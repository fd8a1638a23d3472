"""CNN-F: sizes, normalisation and pooling against loops, weights from a file, mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from vsebench.components.image_encoder.cnn_f import _local_response, _pool
from vsebench.core.errors import ConfigError
from vsebench.core.registry import IMAGE_ENCODERS


def build(**options: Any) -> Any:
    return IMAGE_ENCODERS.build("cnn_f", options)


def pixels(count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, 224, 224), dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """Tensors of the published sizes, with a layer behind fc7."""
    torch.manual_seed(1)
    state = {k: v.clone() for k, v in build().named_parameters()}
    return {**state, "fc8.weight": torch.zeros(1000, 4096), "mean": torch.full((3, 224, 224), 100.0)}


def test_the_sizes_of_the_table() -> None:
    shapes = {k: tuple(v.shape) for k, v in build().named_parameters() if k.endswith("weight")}
    assert shapes == {
        "conv1.weight": (64, 3, 11, 11),
        "conv2.weight": (256, 64, 5, 5),
        "conv3.weight": (256, 256, 3, 3),
        "conv4.weight": (256, 256, 3, 3),
        "conv5.weight": (256, 256, 3, 3),
        "fc6.weight": (4096, 256 * 36),
        "fc7.weight": (4096, 4096),
    }


def test_normalisation_and_pooling_are_those_of_the_source() -> None:
    maps = 30 * torch.randn(1, 7, 6, 8, generator=torch.Generator().manual_seed(0)).double()
    a = maps[0].numpy()
    slow = np.empty_like(a)
    for i in range(7):
        around = sum(a[j] ** 2 for j in range(7) if abs(j - i) <= 2)
        slow[i] = a[i] / (2 + 1e-4 * around) ** 0.75
    np.testing.assert_allclose(_local_response(maps)[0].numpy(), slow, rtol=1e-6)
    pooled = _pool(maps)[0].numpy()
    assert pooled.shape == (7, 3, 4)
    for row in range(3):
        for column in range(4):
            window = a[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            np.testing.assert_array_equal(pooled[:, row, column], window.max((1, 2)))


def test_weights_and_mean_image_from_a_file(tmp_path: Path, published: dict[str, Tensor]) -> None:
    file = tmp_path / "cnn_f.safetensors"
    save_file(published, file)
    encoder = build(weights=str(file))
    assert all(torch.equal(v, published[k]) for k, v in encoder.named_parameters())
    flat = torch.full((1, 3, 224, 224), 100, dtype=torch.uint8)
    tokens = encoder(flat)
    assert tokens.values.shape == (1, 1, 4096)
    assert not tokens.values.any(), "an image that is the mean image gives nothing where all biases are 0"
    assert encoder(pixels()).values.any()
    save_file({**published, "mean": torch.tensor([100.0, 100.0, 100.0])}, file)
    torch.testing.assert_close(build(weights=str(file))(pixels()).values, encoder(pixels()).values)
    fresh = build()
    fresh.mean_image = torch.zeros(3, 224, 224)
    fresh.load_state_dict(encoder.state_dict())
    assert fresh.weights_digest() == encoder.weights_digest()


@pytest.mark.parametrize("finetune", ["none", "last", "all"])
def test_what_trains(finetune: str) -> None:
    encoder = build(finetune=finetune).train()
    trained = {k.split(".")[0] for k, v in encoder.named_parameters() if v.requires_grad}
    assert (
        trained
        == {
            "none": set(),
            "last": {"fc6", "fc7"},
            "all": {"conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"},
        }[finetune]
    )
    assert encoder.frozen == (finetune == "none")
    assert (encoder.cut is None) == (finetune != "last")


def test_a_cut_gives_what_the_whole_gives() -> None:
    torch.manual_seed(0)
    encoder = build(finetune="last")
    selected = encoder.before_cut(pixels())
    assert selected.values.shape == (2, 36, 256)
    assert torch.equal(encoder.after_cut(selected).values, encoder(pixels()).values)
    before = encoder.cut_digest()
    with torch.no_grad():
        encoder.fc7.bias += 1
    assert encoder.cut_digest() == before
    with torch.no_grad():
        encoder.conv5.bias += 1
    assert encoder.cut_digest() != before


def test_mistakes(tmp_path: Path, published: dict[str, Tensor]) -> None:
    file = tmp_path / "weights.safetensors"
    with pytest.raises(ConfigError, match=r"no such file"):
        build(weights=str(file))
    file.write_text("no tensors")
    with pytest.raises(ConfigError, match="is no safetensors file"):
        build(weights=str(file))
    save_file({k: v for k, v in published.items() if k != "fc6.bias"}, file)
    with pytest.raises(ConfigError, match=r"has no 'fc6\.bias'"):
        build(weights=str(file))
    save_file({**published, "conv2.weight": torch.zeros(265, 64, 5, 5)}, file)
    with pytest.raises(ConfigError, match=r"'conv2\.weight' has shape \(265, 64, 5, 5\); \(256, 64, 5, 5\) is right"):
        build(weights=str(file))
    save_file({**published, "mean": torch.zeros(224, 224, 3)}, file)
    with pytest.raises(ConfigError, match=r"'mean' has shape \(224, 224, 3\)"):
        build(weights=str(file))
    save_file({**published, "mean": torch.full((3,), 0.45)}, file)
    with pytest.raises(ConfigError, match=r"'mean' lies in 0 … 1; it is subtracted from pixels in 0 … 255"):
        build(weights=str(file))
    save_file({**published, "conv6.weight": torch.zeros(1)}, file)
    with pytest.raises(ConfigError, match=r"it has a 'conv6\.weight', which the network has not"):
        build(weights=str(file))
    save_file({**published, "conv5.bias": torch.full((256,), float("nan"))}, file)
    with pytest.raises(ConfigError, match=r"'conv5\.bias' has values that are not finite"):
        build(weights=str(file))
    with pytest.raises(ConfigError, match="finetune"):
        build(finetune="some")
