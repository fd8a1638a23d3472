from __future__ import annotations

import math

import pytest
import torch
from codes import fitted, keeps_its_word, ranks, views
from materials import Arrays

from vsebench.components.fitter._semantic_codes import semantic_codes
from vsebench.components.fitter.base import signs
from vsebench.components.fitter.seph import SePH
from vsebench.core.errors import ConfigError, TrainingError


@pytest.mark.parametrize(("kernel", "anchors"), [("rbf", 500), ("rbf", 10), ("linear", 500)])
def test_keeps_its_word(kernel: str, anchors: int) -> None:
    keeps_its_word("seph", bits=8, kernel=kernel, anchors=anchors)


def test_features_equal_loops() -> None:
    data, new = views(60, seed=1), views(7, seed=2)
    fitter = fitted("seph", data, bits=4, anchors=5)
    mean, anchors = fitter.learned("mean_text"), fitter.learned("anchors_text")
    centred = data.vectors("text") - mean
    width = sum(float((row - anchor).square().sum()) for row in centred for anchor in anchors) / (60 * 5)
    assert float(fitter.learned("width_text")) == pytest.approx(width, rel=1e-5)
    result = fitter.features("text", new.vectors("text"))
    assert result.shape == (7, 6)
    for i, row in enumerate(new.vectors("text") - mean):
        for k, anchor in enumerate(anchors):
            wanted = math.exp(-float((row - anchor).square().sum()) / width)
            assert float(result[i, k]) == pytest.approx(wanted, rel=1e-4)
        assert result[i, 5] == 1
    linear = fitted("seph", data, bits=4, kernel="linear")
    scale = math.sqrt(float(centred.square().sum()) / 60)
    wanted_rows = torch.cat([(new.vectors("text") - mean) / scale, torch.ones(7, 1)], dim=1)
    assert torch.allclose(linear.features("text", new.vectors("text")), wanted_rows, atol=1e-5)


def test_codes_are_what_the_regressions_say_is_likelier() -> None:
    data, new = views(60, seed=1), views(20, seed=2)
    fitter = fitted("seph", data, bits=4, anchors=9)
    for modality in ("image", "text"):
        logits = fitter.features(modality, new.vectors(modality)) @ fitter.learned(f"weight_{modality}")
        assert torch.equal(fitter.embed(modality, new.vectors(modality)) > 0, torch.sigmoid(logits) > 0.5)


def test_training_items_of_clear_classes_get_the_codes_that_were_learnt() -> None:
    data = views(80, seed=1, noise=0.05)
    fitter = fitted("seph", data, bits=8)
    unit = torch.nn.functional.one_hot(data.labels, 4).float()
    drawn = torch.Generator().manual_seed(0)
    codes = signs(
        semantic_codes(
            unit, 8, alpha=0.01, steps=100, rate=500, momentum=0.5, generator=drawn, report=lambda step, value: None
        )
    )
    # Only the first view's items of a class can differ in a bit that the labels do not decide.
    for modality in ("image", "text"):
        assert float((fitter.embed(modality, data.vectors(modality)) == codes).float().mean()) > 0.97


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_finds_the_class_of_the_other_modality(kernel: str) -> None:
    assert min(ranks("seph", bits=16, kernel=kernel, anchors=60)) > 0.3


def test_several_labels() -> None:
    labels = (torch.rand(80, 5, generator=torch.Generator().manual_seed(2)) < 0.4).float()
    labels[3] = 0  # an item without any
    view = {
        m: labels @ torch.randn(5, 6, generator=torch.Generator().manual_seed(k))
        for k, m in enumerate(("image", "text"))
    }
    data = Arrays(view, labels)
    fitter = fitted("seph", data, bits=12, kernel="linear")
    distances = (12 - fitter.embed("image", view["image"]) @ fitter.embed("text", view["text"]).T) / 2
    shared = (labels @ labels.T) > 0
    assert float(distances[shared].mean()) < float(distances[~shared].mean()) - 1


def test_misuse_is_refused() -> None:
    for option, value in (("kernel", "poly"), ("anchors", 0), ("penalty", 0.0), ("momentum", 1.0), ("steps", 0)):
        with pytest.raises(ConfigError, match=f"option '{option}' of fitter 'seph'"):
            SePH({"image": 4, "text": 4}, **{option: value})
    data = views(20, seed=1)
    with pytest.raises(TrainingError, match="fitter 'seph' learns from labels, and the training split has none"):
        fitted("seph", Arrays({m: data.vectors(m) for m in data.dims}), bits=2)
    alone = Arrays({m: data.vectors(m) for m in data.dims}, torch.arange(20))
    with pytest.raises(TrainingError, match="no two training items share a label"):
        fitted("seph", alone, bits=2)
    with pytest.raises(RuntimeError, match="'SePH' has not been fitted"):
        SePH({"image": 4, "text": 4}).embed("image", torch.ones(1, 4))
