"""Encoders that train in part: what their frozen stages give is computed once, and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import bert_folder
from torch import Tensor

from vsebench.config.resolve import resolve
from vsebench.core.registry import IMAGE_ENCODERS, TEXT_ENCODERS
from vsebench.core.types import Tokens
from vsebench.data.dataset import Dataset
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.engine.train import Progress, fit
from vsebench.sweeps.prepare import vocabulary_of

IMAGES = [
    ("timm_cnn", "test_resnet", 1),
    ("timm_cnn", "test_resnet", 2),
    ("timm_cnn", "mobilenetv2_100", 1),
    ("timm_cnn", "convnext_atto", 1),
    ("timm_vit", "test_vit", 2),
]
CNN = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32, "finetune": "last"}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def image_encoder(name: str, model: str, stages: int) -> Any:
    torch.manual_seed(0)
    options = {"model": model, "weights": "none", "finetune": "last", "stages": stages}
    options |= {} if name == "timm_vit" else {"image_size": 64}
    return IMAGE_ENCODERS.build(name, options)


def text_encoder(layers: int = 1) -> Any:
    return TEXT_ENCODERS.build("bert", {"model": bert_folder(), "finetune": "last", "layers": layers})


@pytest.mark.parametrize(("name", "model", "stages"), IMAGES)
def test_both_parts_of_an_image_encoder_give_what_the_whole_gives(name: str, model: str, stages: int) -> None:
    encoder = image_encoder(name, model, stages)
    side = encoder.preprocessing.size[0]
    pixels = torch.randint(0, 256, (3, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    assert_parts_are_the_whole(encoder, pixels)


@pytest.mark.parametrize("layers", [1, 2])
def test_both_parts_of_a_text_encoder_give_what_the_whole_gives(layers: int) -> None:
    encoder = text_encoder(layers)
    assert_parts_are_the_whole(encoder, encoder.tokenizer(["a red hat", "blue shirt with dots a red hat", "a"]))


def assert_parts_are_the_whole(encoder: Any, raw: Any) -> None:
    # Training mode too: statistics of a batch are those of the trained part in both ways.
    for training in (False, True):
        encoder.train(training)
        torch.manual_seed(5)  # frozen layers draw no dropout, so both ways draw the same
        whole = encoder(raw)
        wanted = gradients(encoder, whole)
        selected = encoder.before_cut(raw)
        assert not selected.values.requires_grad
        torch.manual_seed(5)
        parts = encoder.after_cut(Tokens(selected.values * selected.mask[:, :, None], selected.mask))
        torch.testing.assert_close(parts.values[parts.mask], whole.values[whole.mask], rtol=1e-5, atol=1e-5)
        assert parts.grid == whole.grid
        assert (parts.final is None) == (whole.final is None)
        result = gradients(encoder, parts)
        assert result.keys() == wanted.keys() != set()
        for key, value in wanted.items():
            torch.testing.assert_close(result[key], value, rtol=1e-4, atol=1e-5)


def gradients(encoder: Any, tokens: Tokens) -> Mapping[str, Tensor]:
    encoder.zero_grad(set_to_none=True)
    tokens.values[tokens.mask].square().mean().backward()
    return {n: p.grad.clone() for n, p in encoder.named_parameters() if p.grad is not None}


def test_the_digest_is_that_of_the_frozen_part() -> None:
    encoders = [
        (image_encoder("timm_cnn", "test_resnet", 1), "layer4", "layer3"),
        (text_encoder(), "layer.2", "layer.1"),
    ]
    for encoder, trained, frozen in encoders:
        before = encoder.cut_digest()
        change(encoder, trained)
        assert encoder.cut_digest() == before
        change(encoder, frozen)
        assert encoder.cut_digest() != before
    assert text_encoder(1).cut_digest() != text_encoder(2).cut_digest()


def change(encoder: Any, part: str) -> None:
    with torch.no_grad():
        next(p for n, p in encoder.named_parameters() if part in n).add_(1)


def test_what_lies_before_the_stages_does_not_train() -> None:
    encoder = image_encoder("timm_vit", "test_vit", 1)
    trained = {n for n, p in encoder.named_parameters() if p.requires_grad}
    assert trained
    assert not any("pos_embed" in n or "cls_token" in n or "patch_embed" in n for n in trained)


def test_a_backbone_that_cannot_be_cut_trains_whole() -> None:
    # Its blocks take a second tensor, the rotary embedding.
    encoder = IMAGE_ENCODERS.build(
        "timm_vit", {"model": "eva02_tiny_patch14_224", "weights": "none", "finetune": "last"}
    )
    assert encoder.cut is None
    assert any(p.requires_grad for p in encoder.parameters())


@pytest.mark.parametrize("text", ["bert", "lstm"])
def test_training_with_and_without_the_cache_agrees(
    tiny_file: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cached, with_cache), cached_calls = trained(tiny_file, text, monkeypatch, cache=True)
    (plain, without), plain_calls = trained(tiny_file, text, monkeypatch, cache=False)
    assert [h["train/loss"] for h in with_cache.history] == pytest.approx(
        [h["train/loss"] for h in without.history], rel=1e-4
    )
    for name, value in cached.state_dict().items():
        torch.testing.assert_close(value, plain.state_dict()[name], rtol=1e-3, atol=1e-4, msg=name)
    # Each split's frozen stages once, instead of every batch of every epoch.
    assert cached_calls == 2
    assert plain_calls == 3 * 3


def trained(
    tiny_file: Path, text: str, monkeypatch: pytest.MonkeyPatch, *, cache: bool
) -> tuple[tuple[Model, Progress], int]:
    torch.manual_seed(0)
    texts = {
        "bert": {"name": "bert", "model": bert_folder(), "finetune": "last"},
        "lstm": {"name": "lstm", "dim_word": 4, "dim_hidden": 4},
    }
    system = resolve(
        {
            "dim": 8,
            "image_encoder": CNN,
            "text_encoder": texts[text],
            "train": {"epochs": 3, "batch_size": 16, "optimizer": {"name": "sgd", "lr": 1e-2}},
        }
    )
    dataset = Dataset.open(tiny_file)
    model = Model(system, num_classes=dataset.num_classes, vocabulary=vocabulary_of(dataset))
    encoder: Any = model.encoders["image"]
    calls = [0]
    before = encoder.cut.before

    def counted(images: Tensor) -> Tensor:
        calls[0] += 1
        result: Tensor = before(images)
        return result

    monkeypatch.setattr(encoder.cut, "before", counted)
    loaders = {s: Loader(dataset, s, system, model.encoders, cache=cache) for s in ("train", "val")}
    progress = fit(
        model,
        loaders["train"],
        loaders["val"],
        seed=0,
        validation_scorer=lambda *_: (0.0, {}),
        device=torch.device("cpu"),
    )
    return (model, progress), calls[0]
