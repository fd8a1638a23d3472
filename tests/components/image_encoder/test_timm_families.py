"""Models of timm by name: each family works in one of the two encoders, or is refused in one clear line."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from vsebench.components.image_encoder._layout import planned_layout
from vsebench.config.resolve import resolve
from vsebench.core.errors import ConfigError
from vsebench.core.registry import IMAGE_ENCODERS
from vsebench.data.pixels import decode

#: Model, arguments that make it small, side of its images, tokens (class tokens first) and grid; None for a map.
TOKENS: list[tuple[str, dict[str, Any], int, int, tuple[int, int]]] = [
    ("test_vit", {}, 96, 1, (6, 6)),
    ("deit_tiny_distilled_patch16_224", {"embed_dim": 32, "depth": 2, "num_heads": 2}, 64, 2, (4, 4)),
    ("beit_base_patch16_224", {"embed_dim": 32, "depth": 2, "num_heads": 2}, 64, 1, (4, 4)),
    ("cait_xxs24_224", {"embed_dim": 32, "depth": 2, "num_heads": 2}, 64, 1, (4, 4)),
    ("mixer_s32_224", {}, 64, 0, (2, 2)),
    ("gmlp_ti16_224", {}, 64, 0, (4, 4)),
    ("coat_lite_tiny", {"embed_dims": [16, 16, 32, 32], "serial_depths": [1, 1, 1, 1]}, 64, 1, (2, 2)),
    ("levit_128s", {}, 224, 0, (4, 4)),
    ("xcit_nano_12_p16_224", {"embed_dim": 32, "depth": 2, "num_heads": 2}, 64, 1, (4, 4)),
    ("hiera_tiny_224", {"embed_dim": 16, "stages": (1, 1, 1, 1)}, 224, 0, (7, 7)),
    ("mvitv2_tiny", {}, 64, 0, (2, 2)),
    ("efficientformer_l1", {"depths": (1, 1, 1, 2)}, 224, 0, (7, 7)),
    ("twins_svt_small", {"depths": [1, 1, 1, 1]}, 64, 0, (2, 2)),
    ("vit_small_patch14_reg4_dinov2", {"embed_dim": 48, "depth": 2, "num_heads": 2}, 56, 5, (4, 4)),
]
MAPS: list[tuple[str, dict[str, Any], int, tuple[int, int]]] = [
    ("test_resnet", {}, 64, (2, 2)),
    ("test_convnext", {}, 64, (2, 2)),
    ("swin_tiny_patch4_window7_224", {"embed_dim": 24, "depths": (1, 1, 1, 1)}, 64, (2, 2)),
    ("levit_conv_128s", {}, 224, (4, 4)),
    ("mambaout_femto", {"depths": (1, 1, 1, 1)}, 64, (2, 2)),
    ("pvt_v2_b0", {}, 64, (2, 2)),
]
REFUSED = [
    ("crossvit_tiny_240", "gives neither a map nor one set of patch tokens"),
    ("coat_tiny", "gives neither a map nor one set of patch tokens"),
    ("pit_ti_224", "gives neither a map nor one set of patch tokens"),
]


def build(name: str, model: str, args: dict[str, Any], side: int | None = None, **options: Any) -> Any:
    options = {"model": model, "weights": "none", "model_args": args, "image_size": side, **options}
    return IMAGE_ENCODERS.build(name, options).eval()


def pixels(side: int) -> torch.Tensor:
    return torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("model", "args", "side", "prefix", "grid"), TOKENS, ids=[t[0] for t in TOKENS])
@torch.no_grad()
def test_patch_tokens(model: str, args: dict[str, Any], side: int, prefix: int, grid: tuple[int, int]) -> None:
    encoder = build("timm_vit", model, args, side)
    tokens = encoder(pixels(side))
    assert tokens.values.shape == (2, prefix + grid[0] * grid[1], encoder.dim_out)
    assert tokens.grid == grid
    assert (tokens.final is None) == (prefix == 0)
    assert tokens.values.isfinite().all()
    assert planned_layout(model, side, repr(args)) == encoder.layout, "known before it is made"
    with pytest.raises(ConfigError, match=f"'{model}' gives patch tokens, not a map; use timm_vit for it"):
        build("timm_cnn", model, args, side)


@pytest.mark.parametrize(("model", "args", "side", "grid"), MAPS, ids=[t[0] for t in MAPS])
@torch.no_grad()
def test_maps(model: str, args: dict[str, Any], side: int, grid: tuple[int, int]) -> None:
    encoder = build("timm_cnn", model, args, side)
    tokens = encoder(pixels(side))
    assert tokens.values.shape == (2, grid[0] * grid[1], encoder.dim_out)
    assert tokens.grid == grid
    assert planned_layout(model, side, repr(args)) == encoder.layout
    with pytest.raises(ConfigError, match=f"'{model}' gives a map and does not give patch tokens; use timm_cnn"):
        build("timm_vit", model, args, side)


@pytest.mark.parametrize(("model", "message"), REFUSED)
@pytest.mark.parametrize("name", ["timm_cnn", "timm_vit"])
def test_what_is_neither(name: str, model: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        resolve({"image_encoder": {"name": name, "model": model, "weights": "none"}})
    assert "\n" not in str(error.value)


PLANNED = [
    ({"model": "resnet_18"}, r"timm has no model 'resnet_18'. Did you mean 'resnet18'\?"),
    ({"model": "resnet18.a1_in2k"}, r"timm has no weights 'a1_in2k' of 'resnet18'. Did you mean 'a1_in1k'\?"),
    ({"model": "vit_tiny_patch16_224"}, "gives patch tokens, not a map; use timm_vit"),
    ({"model": "gcvit_xxtiny", "image_size": 100}, r"cannot read images of 100 × 100 pixels: .*Its own size is 224"),
    ({"model": "test_resnet", "model_args": {"nonsense": 1}}, "timm cannot make 'test_resnet' with these options"),
    ({"model": "test_resnet", "model_args": {"in_chans": 1}}, "cannot read images of 160 × 160 pixels"),
]


@pytest.mark.parametrize(("options", "message"), PLANNED)
def test_mistakes_are_told_before_a_run(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        resolve({"image_encoder": {"name": "timm_cnn", **options}})
    assert "\n" not in str(error.value)
    assert error.value.path[0] == "image_encoder"


def test_a_size_between_two_patches() -> None:
    with pytest.raises(ConfigError, match=r"image_size \(100\) is no multiple of the 16 pixels .*; 96 or 112 is"):
        build("timm_vit", "test_vit", {}, 100)


def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, name: str, change: Any = None) -> Path:
    """A cache of the hub with random weights of a model at two commits; the main branch is at the first."""
    import timm
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    place = tmp_path / f"models--{name.replace('/', '--')}"
    for number, commit in enumerate("ab"):
        torch.manual_seed(number)
        state = {k: v.contiguous() for k, v in timm.create_model(model).state_dict().items()}
        folder = place / "snapshots" / (commit * 40)
        folder.mkdir(parents=True)
        save_file(state if change is None else change(state), folder / "model.safetensors")
        (place / "refs").mkdir(exist_ok=True)
    (place / "refs" / "main").write_text("a" * 40)
    return place


def test_weights_of_the_hub_have_a_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = hub(tmp_path, monkeypatch, "test_resnet", "timm/test_resnet.r160_in1k")
    for revision, commit in ((None, "a" * 40), ("b" * 40, "b" * 40)):
        encoder = build("timm_cnn", "test_resnet", {}, 64, weights="hub", revision=revision)
        assert encoder.origin == {"model": "timm/test_resnet.r160_in1k", "commit": commit}
        state = load_file(place / "snapshots" / commit / "model.safetensors")
        assert all(torch.equal(v, state[k]) for k, v in encoder.backbone.state_dict().items())
    (place / "refs" / "main").write_text("b" * 40)
    assert build("timm_cnn", "test_resnet", {}, 64, weights="hub").origin["commit"] == "b" * 40
    with pytest.raises(ConfigError, match="'test_resnet' at revision 'v9' could not be fetched from the hub"):
        build("timm_cnn", "test_resnet", {}, 64, weights="hub", revision="v9")
    with pytest.raises(ConfigError, match="'revision' goes with weights: hub"):
        build("timm_cnn", "test_resnet", {}, 64, revision="v9")
    assert build("timm_cnn", "test_resnet", {}, 64).origin is None


def test_weights_of_the_hub_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {k.replace("layer4.0.conv1", "layer4.0.conv_1"): v for k, v in state.items()}

    hub(tmp_path, monkeypatch, "test_resnet", "timm/test_resnet.r160_in1k", change)
    with pytest.raises(ConfigError, match=re.escape('Missing key(s) in state_dict: "layer4.0.conv1.weight"')) as error:
        build("timm_cnn", "test_resnet", {}, 64, weights="hub")
    assert "\n" not in str(error.value)


def test_a_model_by_its_hub_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = hub(tmp_path, monkeypatch, "test_resnet", "some/net")
    config = '{"architecture": "test_resnet", "num_classes": 1000, "pretrained_cfg": {"mean": [0.1, 0.2, 0.3], '
    config += '"std": [0.4, 0.5, 0.6], "interpolation": "bilinear", "crop_pct": 0.8, "input_size": [3, 96, 64]}}'
    for commit in "ab":
        (place / "snapshots" / (commit * 40) / "config.json").write_text(config)
    encoder = build("timm_cnn", "hf-hub:some/net", {}, weights="hub", fit="crop", revision="b" * 40)
    assert encoder.origin == {"model": "some/net", "commit": "b" * 40}
    wanted = encoder.preprocessing
    assert (wanted.mean, wanted.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert (wanted.size, wanted.interpolation, wanted.fit, wanted.share) == ((96, 64), "bilinear", "crop", 0.8)


def test_positions_of_the_hub_are_interpolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub(tmp_path, monkeypatch, "test_vit", "timm/test_vit.r160_in1k")
    encoder = build("timm_vit", "test_vit", {}, 96, weights="hub")
    assert encoder(pixels(96)).grid == (6, 6)
    assert encoder.backbone.pos_embed.shape == (1, 37, 64)


@pytest.mark.parametrize("size", [(200, 120), (97, 160), (80, 80)])
def test_the_share_that_weights_were_evaluated_with(size: tuple[int, int], tmp_path: Path, monkeypatch: Any) -> None:
    from timm.data import create_transform, resolve_model_data_config

    hub(tmp_path, monkeypatch, "test_resnet", "timm/test_resnet.r160_in1k")
    encoder = build("timm_cnn", "test_resnet", {}, 64, weights="hub", fit="crop")
    assert encoder.preprocessing.share == 0.95
    assert encoder.preprocessing.interpolation == "bilinear"
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    parts = [np.sin(x / 9) + np.cos(y / 7), np.sin((x + y) / 11), np.cos(x / 13) * np.sin(y / 5)]
    image = Image.fromarray(np.stack([127 + 60 * part for part in parts], -1).clip(0, 255).astype(np.uint8))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    mine = encoder.normalise(torch.from_numpy(decode(stream.getvalue(), encoder.preprocessing))[None])[0]
    config = {**resolve_model_data_config(encoder.backbone), "input_size": (3, 64, 64)}
    theirs = create_transform(**config)(image)
    shifted = (theirs[..., 1:] - theirs[..., :-1]).abs().mean()
    assert float((mine - theirs).abs().mean()) < float(shifted), "less than a pixel's shift"
