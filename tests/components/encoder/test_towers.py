"""The towers of CLIP and SigLIP against transformers' own models on the same inputs."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_models import bert_folder, clip_folder, siglip_folder
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from vsebench.core.errors import ConfigError
from vsebench.core.registry import IMAGE_ENCODERS, TEXT_ENCODERS
from vsebench.data.pixels import decode

FOLDERS = {"clip": clip_folder, "siglip": siglip_folder}
TEXTS = ["a red hat", "a shirt with blue dots, and a red dress", "", "Dress"]


def picture(width: int, height: int) -> Image.Image:
    """A smooth picture: on one with noise two libraries' resizing cannot agree."""
    y, x = np.mgrid[0:height, 0:width]
    parts = [np.sin(x / 9) + np.cos(y / 7), np.sin((x + y) / 11), np.cos(x / 13) * np.sin(y / 5)]
    return Image.fromarray(np.stack([127 + 60 * part for part in parts], -1).clip(0, 255).astype(np.uint8))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("family", FOLDERS)
def test_similarities_are_the_models_own_logits(family: str) -> None:
    folder = FOLDERS[family]()
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)) for _ in range(5)]
    image, text = (
        r.build(n, {"model": folder}) for r, n in ((IMAGE_ENCODERS, "clip_image"), (TEXT_ENCODERS, "clip_text"))
    )
    pixels = torch.from_numpy(np.stack([decode(png(i), image.preprocessing) for i in images]))
    v, t = image(pixels), text(text.tokenizer(TEXTS))
    assert v.values.shape == (5, 1, image.dim_out)
    assert v.mask.all()
    assert t.mask.all()
    assert t.final is not None

    model = AutoModel.from_pretrained(folder).eval()
    padding = "max_length" if family == "siglip" else True
    words = AutoTokenizer.from_pretrained(folder)(
        TEXTS, padding=padding, max_length=text.tower.max_length, truncation=True, return_tensors="pt"
    )
    if family == "siglip":  # as its own processor does
        words = {"input_ids": words["input_ids"]}
    seen = AutoImageProcessor.from_pretrained(folder)(images, return_tensors="pt")
    with torch.no_grad():
        message = model(**{k: words[k] for k in ("input_ids", "attention_mask") if k in words}, **seen).logits_per_image
    unit = [torch.nn.functional.normalize(tokens.values[:, 0], dim=-1) for tokens in (v, t)]
    logits = unit[0] @ unit[1].T * model.logit_scale.exp().detach()
    if family == "siglip":
        logits = logits + model.logit_bias.detach()
    torch.testing.assert_close(logits, message, atol=1e-4, rtol=1e-4)
    assert len(message.flatten().unique()) == 20, "a test that can fail: no two pairs have one logit"


@pytest.mark.parametrize("family", FOLDERS)
@pytest.mark.parametrize("size", [(100, 60), (61, 97), (32, 32), (20, 45)])
def test_pixels_are_nearly_those_of_the_models_processor(family: str, size: tuple[int, int]) -> None:
    folder = FOLDERS[family]()
    encoder = IMAGE_ENCODERS.build("clip_image", {"model": folder})
    image = picture(*size)
    mine = encoder.normalise(torch.from_numpy(decode(png(image), encoder.preprocessing))[None])
    theirs = AutoImageProcessor.from_pretrained(folder)(image, return_tensors="pt")["pixel_values"]
    shifted = (theirs[..., 1:] - theirs[..., :-1]).abs().mean()
    assert float((mine - theirs).abs().mean()) < float(shifted), "less than a pixel's shift"
    wrong = IMAGE_ENCODERS.build("clip_image", {"model": FOLDERS["siglip" if family == "clip" else "clip"]()})
    assert encoder.preprocessing != wrong.preprocessing


@pytest.mark.parametrize("family", FOLDERS)
def test_a_text_does_not_depend_on_its_batch(family: str) -> None:
    encoder = TEXT_ENCODERS.build("clip_text", {"model": FOLDERS[family]()})
    together = encoder(encoder.tokenizer(TEXTS)).values
    for i, text in enumerate(TEXTS):
        torch.testing.assert_close(together[i : i + 1], encoder(encoder.tokenizer([text])).values, atol=1e-5, rtol=1e-5)
    assert encoder.tokenizer.truncated(["a " * 100, *TEXTS]) == 1
    assert encoder.tokenizer.truncated([]) == 0
    assert encoder.tokenizer(["a " * 100]).ids.shape[1] == encoder.tower.max_length


def test_towers_stay_frozen_and_in_eval_mode() -> None:
    for registry, name in ((IMAGE_ENCODERS, "clip_image"), (TEXT_ENCODERS, "clip_text")):
        encoder = registry.build(name, {"model": clip_folder()}).train()
        assert encoder.frozen
        assert not any(p.requires_grad for p in encoder.parameters())
        assert not any(m.training for m in encoder.tower.modules())


def test_digests_follow_weights_and_words(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(clip_folder(), tmp_path / "other"))
    state = load_file(folder / "model.safetensors")
    state["visual_projection.weight"] = state["visual_projection.weight"] + 1
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    image = [IMAGE_ENCODERS.build("clip_image", {"model": str(m)}).weights_digest() for m in (clip_folder(), folder)]
    text = [TEXT_ENCODERS.build("clip_text", {"model": str(m)}).weights_digest() for m in (clip_folder(), folder)]
    assert image[0] != image[1]
    assert text[0] == text[1], "the other tower has not changed"
    words = [TEXT_ENCODERS.build("clip_text", {"model": f()}).tokenizer.digest for f in (clip_folder, siglip_folder)]
    assert words[0] != words[1]


def test_what_is_no_such_model_is_told(tmp_path: Path) -> None:
    for registry, name in ((IMAGE_ENCODERS, "clip_image"), (TEXT_ENCODERS, "clip_text")):
        with pytest.raises(ConfigError, match="is a model of type bert; this encoder is a tower of a clip or siglip"):
            registry.build(name, {"model": bert_folder()})
        with pytest.raises(ConfigError, match="transformers cannot load the folder"):
            registry.build(name, {"model": str(tmp_path)})
    folder = Path(shutil.copytree(clip_folder(), tmp_path / "part"))
    state = load_file(folder / "model.safetensors")
    del state["text_projection.weight"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"1 tensor is missing and would be random \(text_projection.weight\)"):
        TEXT_ENCODERS.build("clip_text", {"model": str(folder)})


def other_processor(folder: Path, place: Path, **change: object) -> Path:
    """A copy of a model with other settings of its image processor."""
    folder = Path(shutil.copytree(folder, place / "other"))
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    return folder


@pytest.mark.parametrize(
    "change",
    [
        {"do_rescale": False},
        {"rescale_factor": 1 / 127.5},
        {"do_normalize": False},
        {"do_normalize": False, "do_rescale": False},
        {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]},
        {"resample": 2},
        {"size": {"height": 32, "width": 32}},
        {"size": {"shortest_edge": 40}},
        {"do_center_crop": False, "size": {"height": 32, "width": 32}},
    ],
)
def test_what_a_processor_says_is_done(change: dict[str, object], tmp_path: Path) -> None:
    folder = other_processor(Path(clip_folder()), tmp_path, **change)
    encoder = IMAGE_ENCODERS.build("clip_image", {"model": str(folder)})
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    mine = encoder.normalise(torch.from_numpy(decode(png(image), encoder.preprocessing))[None])
    theirs = AutoImageProcessor.from_pretrained(folder)(image, return_tensors="pt")["pixel_values"]
    if change.get("size") != {"shortest_edge": 40}:
        torch.testing.assert_close(mine, theirs.float(), atol=1e-4, rtol=1e-5)
    if "resample" in change:
        assert encoder.preprocessing.interpolation == "bilinear"
    if "size" in change:
        wide = encoder.normalise(torch.from_numpy(decode(png(picture(96, 48)), encoder.preprocessing))[None])
        wanted = AutoImageProcessor.from_pretrained(folder)(picture(96, 48), return_tensors="pt")["pixel_values"]
        assert float((wide - wanted).abs().mean()) < 0.05


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"size": {"shortest_edge": 24}}, "fits images in a way that is not known here"),
        ({"size": {"height": 40, "width": 40}}, "fits images in a way that is not known here"),
        ({"crop_size": {"height": 32, "width": 48}}, "fits images in a way that is not known here"),
        ({"do_center_crop": False}, "fits images in a way that is not known here"),
        ({"do_resize": False}, "do_resize False"),
        ({"size": {"longest_edge": 32}}, "fits images in a way that is not known here"),
        ({"resample": 1}, "by method 1"),
        ({"image_std": [0.2, 0.2]}, "three means"),
        ({"image_std": [0.2, 0.2, 0.0]}, "std and a rescale_factor > 0"),
        ({"rescale_factor": 0}, "rescale_factor > 0"),
        ({"image_mean": "grey"}, "cannot be read"),
    ],
)
def test_other_processors_are_told(change: dict[str, object], text: str, tmp_path: Path) -> None:
    folder = other_processor(Path(clip_folder()), tmp_path, **change)
    with pytest.raises(ConfigError, match=text):
        IMAGE_ENCODERS.build("clip_image", {"model": str(folder)})


def test_a_step_that_is_not_known_is_named(tmp_path: Path) -> None:
    from transformers import MobileViTImageProcessor

    folder = Path(shutil.copytree(siglip_folder(), tmp_path / "flips"))
    MobileViTImageProcessor(
        size={"height": 32, "width": 32}, do_center_crop=False, do_flip_channel_order=True
    ).save_pretrained(folder)
    with pytest.raises(ConfigError, match="does 'do_flip_channel_order', which is not done here"):
        IMAGE_ENCODERS.build("clip_image", {"model": str(folder)})


def test_a_processor_of_another_size(tmp_path: Path) -> None:
    size = {"height": 48, "width": 48}
    folder = other_processor(Path(siglip_folder()), tmp_path, size=size)
    with pytest.raises(ConfigError, match="cannot read the 48 × 48 pixels of its own image processor"):
        IMAGE_ENCODERS.build("clip_image", {"model": str(folder)})


def test_a_tower_reads_right_padded_texts(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(clip_folder(), tmp_path / "left"))
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "padding_side": "left", "truncation_side": "left"}))
    mine, wanted = (TEXT_ENCODERS.build("clip_text", {"model": str(f)}) for f in (folder, clip_folder()))
    texts = [*TEXTS, "a red hat " * 30]
    assert torch.equal(mine.tokenizer(texts).ids, wanted.tokenizer(texts).ids)
    assert torch.equal(mine(mine.tokenizer(texts)).values, wanted(wanted.tokenizer(texts)).values)
    end = mine.tokenizer.tokenizer.eos_token_id
    assert int(mine.tokenizer(texts).ids[-1, -1]) == end, "a text that is cut keeps its end token"
