"""A placebo reads each item with another item's modality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vsebench.config.identity import run_id
from vsebench.config.resolve import resolve
from vsebench.config.schema import Placebo
from vsebench.core.errors import ConfigError
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.engine.placebo import other_items
from vsebench.pipeline import sweep
from vsebench.sweeps.prepare import vocabulary_of

FEATURES: dict[str, Any] = {"dim": 8, "image_encoder": "features", "text_encoder": "features"}


@pytest.fixture(scope="module")
def sliced(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Thirty items to train on in groups of one to three, of two kinds; texts alone say the class."""
    file = tmp_path_factory.mktemp("placebo") / "sliced.h5"
    generator = np.random.default_rng(0)
    with DatasetWriter(file, name="sliced", title="Sliced") as writer:
        for i in range(50):
            label = "ab"[i % 2]
            group = ("x", "y")[i // 25] + str(int((i % 25) ** 0.9))
            features = {
                "image": generator.normal(size=(1, 4)).astype(np.float32),
                "text": np.array([[i, 10 * (i % 2), 1]], np.float32),
            }
            split = "train" if i % 5 < 3 else "val" if i % 5 == 3 else "test"
            item = Item(f"item-{i}", None, (f"text {i}",), label, group=f"{split}{group}", features=features)
            writer.add(Item(**{**vars(item), "split": split, "slices": {"kind": ("first", "second")[i // 25]}}))
    return Dataset.open(file)


@pytest.mark.parametrize("within", [None, "kind"])
def test_each_item_is_read_once_and_never_with_its_own_group(sliced: Dataset, within: str | None) -> None:
    for split in ("train", "val", "test"):
        positions = np.asarray(sliced.splits[split])
        others = other_items(sliced, split, Placebo(modality="text", within=within))
        assert sorted(others) == sorted(positions)
        assert not (np.asarray(sliced.groups)[others] == np.asarray(sliced.groups)[positions]).any()
        same_kind = sliced.slices.codes[others, 0] == sliced.slices.codes[positions, 0]
        assert same_kind.all() if within else not same_kind.all()


@pytest.mark.parametrize("modality", ["image", "text"])
def test_a_batch_has_the_others_modality_and_the_items_own_rest(sliced: Dataset, modality: str) -> None:
    system = resolve({**FEATURES, "placebo": modality})
    assert system.placebo is not None
    model = Model(system, num_classes=2, feature_dims=sliced.feature_dims)
    others = dict(zip(sliced.splits["train"], other_items(sliced, "train", system.placebo), strict=True))
    half = np.asarray(sliced.splits["train"])[::2]
    for among in (None, half):  # a part of the items is read as it is in the whole
        loader = Loader(sliced, "train", system, model.encoders, among=among)
        batch = loader.batch(np.arange(len(loader)))
        for i, position in enumerate(loader.positions):
            for m in ("image", "text"):
                wanted = sliced.item_features(m, int(others[position] if m == modality else position))
                np.testing.assert_array_equal(batch.inputs[m].values[i].numpy(), wanted)
        assert batch.labels.tolist() == np.asarray(sliced.labels)[loader.positions].tolist()
        assert "placebo" in "".join(loader.notes)


def test_captions_and_kept_tokens_are_the_others(tiny_file: Path) -> None:
    dataset = Dataset.open(tiny_file)
    frozen = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32, "finetune": "none"}
    block = {"dim": 8, "image_encoder": frozen, "text_encoder": {"name": "lstm", "dim_word": 8, "dim_hidden": 8}}
    torch.manual_seed(0)
    model = Model(resolve(block), num_classes=3, vocabulary=vocabulary_of(dataset))
    loader = Loader(dataset, "val", resolve(block), model.encoders)
    row_of = {int(position): row for row, position in enumerate(loader.positions)}
    for modality in ("image", "text"):
        system = resolve({**block, "placebo": modality})
        assert system.placebo is not None
        placebo = Loader(dataset, "val", system, model.encoders)
        rows = np.array([row_of[int(p)] for p in other_items(dataset, "val", system.placebo)])
        for m in ("image", "text"):
            taken = rows if m == modality else np.arange(len(loader))
            a, b = placebo.inputs_of(m, np.arange(len(loader))), loader.inputs_of(m, taken)
            assert torch.equal(a.values if m == "image" else a.ids, b.values if m == "image" else b.ids)


def test_a_placebo_of_the_text_that_says_all_learns_nothing(sliced: Dataset, tmp_path: Path) -> None:
    base = {**FEATURES, "head": "linear", "fusion": "concat"}
    content = {
        "experiment": "placebo",
        "dataset": str(sliced.path),
        "train": {"epochs": 30, "batch_size": 10, "optimizer": {"name": "adamw", "lr": 0.02}},
        "systems": {"both": base, "placebo": {**base, "placebo": {"modality": "text", "within": "kind"}}},
    }
    board = sweep(content, runs=tmp_path / "runs", board=tmp_path / "board", workers=1)
    accuracy = board.to_dataframe(by="row").set_index("row")["test/accuracy"]
    assert accuracy["both"] == 1
    assert accuracy["placebo"] <= 0.9


def test_what_is_refused(sliced: Dataset) -> None:
    with pytest.raises(ConfigError, match="'audio' must be one of several modalities that the row reads: image, text"):
        resolve({**FEATURES, "placebo": "audio"})
    with pytest.raises(ConfigError, match="must be one of several modalities"):
        resolve({**FEATURES, "text_encoder": "none", "placebo": "image"})
    with pytest.raises(ConfigError, match="no slice 'kinds'. Did you mean 'kind'"):
        other_items(sliced, "test", Placebo(modality="text", within="kinds"))


def test_a_row_without_a_placebo_keeps_its_id() -> None:
    def name(block: dict[str, Any]) -> str:
        return run_id(
            resolve(block), seed=0, fingerprint="f", metric_versions={"accuracy": 1}, metrics=["accuracy"], select={}
        )

    assert name(FEATURES) == name({**FEATURES, "placebo": "none"})
    assert len({name(FEATURES), name({**FEATURES, "placebo": "text"}), name({**FEATURES, "placebo": "image"})}) == 3
