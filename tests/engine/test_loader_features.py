"""Precomputed features as batches and through a whole run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vsebench.config.resolve import resolve
from vsebench.core.errors import DataError
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter
from vsebench.engine import inputs as sources
from vsebench.engine.evaluate import predict
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model

BOTH: dict[str, Any] = {
    "dim": 16,
    "image_encoder": {"name": "features", "transform": "l2"},
    "text_encoder": "features",
    "fusion": "concat",
}


def parts(file: Path) -> tuple[Dataset, Any, Model]:
    dataset, system = Dataset.open(file), resolve(BOTH)
    torch.manual_seed(0)
    return dataset, system, Model(system, num_classes=3, feature_dims=dataset.feature_dims)


def test_batches(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, system, model = parts(tiny_file)
    selected = Loader(dataset, "train", system, model.encoders)
    monkeypatch.setattr(sources, "PIXEL_MEMORY", 10)
    read = Loader(dataset, "train", system, model.encoders)
    rows = np.array([5, 0, 3])
    for modality in ("image", "text"):
        one, other = selected.batch(rows).inputs[modality], read.batch(rows).inputs[modality]
        assert torch.equal(one.values, other.values)
        assert torch.equal(one.mask, other.mask)
        for i, row in enumerate(rows):
            current = dataset.item_features(modality, int(selected.positions[row]))
            np.testing.assert_array_equal(one.values[i][one.mask[i]].numpy(), current.astype(np.float32))
    assert selected.captions_per_item.tolist() == [1] * len(selected), "one text vector an item, whatever its captions"


def test_predictions_do_not_depend_on_the_batch(tiny_file: Path) -> None:
    dataset, system, model = parts(tiny_file)
    loader = Loader(dataset, "val", system, model.encoders)
    device = torch.device("cpu")
    whole = predict(model, loader, device=device)
    small = system.model_copy(update={"train": system.train.model_copy(update={"eval_batch_size": 1})})
    model.system = small
    np.testing.assert_allclose(predict(model, loader, device=device).logits, whole.logits, atol=1e-5)


def test_items_without_features(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "a.h5", name="a", title="A") as writer:
        for n in range(30):
            features = {"image": np.ones((n % 3, 4), np.float32), "text": np.ones((1, 2), np.float32)}
            writer.add(Item(str(n), None, (), "ab"[n % 2], features=features))
    dataset, system, model = parts(tmp_path / "a.h5")
    with pytest.raises(DataError, match="items of the train split lack a modality that the system reads"):
        Loader(dataset, "train", system, model.encoders)
