"""timm encoders: local checkpoints, partial freezing, folded statistics, mistakes."""

from __future__ import annotations

import pickle
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from vsebench.components.image_encoder.timm_cnn import TimmCNN
from vsebench.core.errors import ConfigError
from vsebench.core.registry import IMAGE_ENCODERS


def build(name: str = "timm_cnn", **options: Any) -> Any:
    small = {"model": "test_resnet", "weights": "none", "image_size": 64} if name == "timm_cnn" else {}
    return IMAGE_ENCODERS.build(name, {**small, **options})


def pixels(side: int = 64, count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator)


def test_a_map_is_regions_row_by_row() -> None:
    encoder = build(model_args={"output_stride": 16})
    tokens = encoder(pixels())
    assert tokens.grid == (4, 4)
    images = (pixels().float() / 255 - torch.tensor(encoder.preprocessing.mean).view(1, 3, 1, 1)) / torch.tensor(
        encoder.preprocessing.std
    ).view(1, 3, 1, 1)
    raw = encoder.backbone.forward_features(images)
    torch.testing.assert_close(tokens.values[:, 5], raw[:, :, 1, 1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_local_checkpoint(tmp_path: Path, suffix: str) -> None:
    import timm

    torch.manual_seed(3)
    model = timm.create_model("test_resnet", num_classes=7)
    file = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(model.state_dict(), file)
    else:
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, file)
    encoder = build(weights=str(file), model_args={"num_classes": 7})
    state = model.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in encoder.backbone.state_dict().items())
    with pytest.raises(ConfigError, match=r"do not fit the model: of another shape: fc.weight is \(7, 96\) instead of"):
        build(weights=str(file), model_args={"num_classes": 8})


def test_a_checkpoint_of_a_training_script(tmp_path: Path) -> None:
    import timm

    model = timm.create_model("test_resnet", num_classes=1000)
    averaged = {f"module.{k}": v + 1 for k, v in model.state_dict().items()}
    file = tmp_path / "last.pth.tar"
    torch.save({"args": Namespace(lr=0.1), "state_dict": model.state_dict(), "state_dict_ema": averaged}, file)
    state = build(weights=str(file)).backbone.state_dict()
    assert all(torch.equal(v, averaged[f"module.{k}"]) for k, v in state.items())


def test_tensors_that_a_checkpoint_lacks_are_named(tmp_path: Path) -> None:
    import timm

    state = timm.create_model("test_resnet").state_dict()
    names = [name for name in state if name.startswith("conv1")]
    torch.save({f"old_{k}" if k in names else k: v for k, v in state.items()}, tmp_path / "renamed.pth")
    with pytest.raises(ConfigError, match=f"it lacks {names[0]}.*; the model has no old_{names[0]}"):
        build(weights=str(tmp_path / "renamed.pth"))


class Runs:
    """What a hostile file holds: unpickling it writes another file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle"])
def test_no_checkpoint_runs_code(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    monkeypatch.setattr(timm.models, "load_state_dict", None)  # whatever timm would do with it
    target, file = tmp_path / "ran", tmp_path / "weights.pth"
    content = {"state_dict": timm.create_model("test_resnet").state_dict(), "more": Runs(target)}
    if how == "pickle":
        file.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, file, _use_new_zipfile_serialization=how == "zip")
    with pytest.raises(ConfigError, match="no file of tensors alone, or a damaged one"):
        build(weights=str(file))
    assert not target.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}q\x00.", b"weights", None])
def test_damaged_checkpoints_are_refused(tmp_path: Path, suffix: str, content: bytes | None) -> None:
    import timm

    file = tmp_path / f"weights{suffix}"
    state = {k: v.contiguous() for k, v in timm.create_model("test_resnet").state_dict().items()}
    save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
    file.write_bytes(file.read_bytes()[:5000] if content is None else content)
    with pytest.raises(ConfigError, match="weights '.*weights"):
        build(weights=str(file))


def test_a_pretrained_checkpoint_of_ours(tmp_path: Path) -> None:
    torch.manual_seed(3)
    first = build(finetune="all")
    file = tmp_path / "pre.safetensors"
    save_file({k: v.contiguous() for k, v in first.backbone_state().items()}, file)
    options = {"model": "test_resnet", "weights": "pretrain", "image_size": 64}
    again = IMAGE_ENCODERS.build("timm_cnn", options, checkpoint=file)
    assert again.weights_digest() == build_frozen(first).weights_digest()


def build_frozen(encoder: Any) -> Any:
    frozen = build()
    frozen.backbone.load_state_dict(encoder.backbone.state_dict())
    return frozen


def test_mirrored_images_are_averaged() -> None:
    torch.manual_seed(0)
    plain = build()
    torch.manual_seed(0)
    both = build(flip=True)
    image = pixels()
    height, width = plain(image).grid
    mirrored = plain(image.flip(-1)).values.unflatten(1, (height, width)).flip(2).flatten(1, 2)
    torch.testing.assert_close(both(image).values, (plain(image).values + mirrored) / 2, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(both(image).values.mean(1), both(image.flip(-1)).values.mean(1), atol=1e-5, rtol=1e-5)


def test_freeze_norm_keeps_the_statistics() -> None:
    for freeze, moved in ((True, False), (False, True)):
        encoder = build(finetune="all", freeze_norm=freeze).train()
        before = {k: v.clone() for k, v in encoder.state_dict().items() if "running_mean" in k}
        encoder(pixels(count=4))
        after = encoder.state_dict()
        assert any(not torch.equal(v, after[k]) for k, v in before.items()) == moved


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"model": "resnet_18"}, "timm has no model 'resnet_18'. Did you mean 'resnet18'"),
        ({"weights": "no/such.pth"}, "weights 'no/such.pth': no such file"),
        ({"weights": "hub", "model": "resnet18"}, "could not be fetched from the hub"),
        ({"model_args": {"nonsense": 1}}, "timm cannot make 'test_resnet'"),
        ({"mean": [0.5]}, "'mean' must be three numbers"),
        ({"finetune": "last", "stages": 99}, r"stages \(99\) must be fewer"),
        ({"finetune": "some"}, "finetune"),
    ],
)
def test_mistakes(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        build(**options)


def test_a_cnn_is_no_vit() -> None:
    with pytest.raises(ConfigError, match="does not give patch tokens"):
        IMAGE_ENCODERS.build("timm_vit", {"model": "test_resnet", "weights": "none"})


@pytest.mark.slow
def test_the_real_mobilenet(shared: Path) -> None:
    file = shared / "models" / "mobilenetv2_100" / "mobilenetv2_100.timm_pad_same.fp16.safetensors"
    encoder = build(model="mobilenetv2_100", weights=str(file), model_args={"pad_type": "same"}, image_size=128)
    tokens = encoder(pixels(128))
    assert tokens.values.shape == (2, 16, 1280)
    assert encoder.preprocessing.mean == pytest.approx((0.5, 0.5, 0.5), abs=0.05) or encoder.preprocessing.mean


@pytest.mark.parametrize("model", ["test_resnet", "vgg11"])
@torch.no_grad()
def test_the_map_before_its_last_relu(model: str) -> None:
    results = []
    for args in ({}, {"pre_relu": True}):
        torch.manual_seed(0)
        slim = {"mlp_ratio": 0.01} if model == "vgg11" else {}  # without a classifier of 400 MB
        encoder = TimmCNN(model=model, weights="none", image_size=64, model_args={**slim, **args})
        results.append(encoder(torch.arange(2 * 3 * 64 * 64).reshape(2, 3, 64, 64).to(torch.uint8)).values)
    assert bool((results[0] >= 0).all())
    assert bool((results[1] < 0).any())
    assert torch.equal(results[1].relu(), results[0])


def test_a_map_that_comes_from_no_relu_has_none_before_it() -> None:
    with pytest.raises(ConfigError, match="the last map of 'test_convnext' does not come from a ReLU"):
        TimmCNN(model="test_convnext", weights="none", image_size=64, model_args={"pre_relu": True})
