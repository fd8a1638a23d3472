"""Parquet and Arrow that ``datasets`` reads back."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pytest
from builder_layouts import sound
from PIL import Image

from vsebench.core.errors import ConfigError, DataError
from vsebench.core.registry import DATASETS
from vsebench.core.sizes import in_bytes
from vsebench.data.dataset import Dataset
from vsebench.data.export import export
from vsebench.data.item import Item

Items, Write = Callable[..., list[Item]], Callable[..., Dataset]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")


def rich(items: list[Item]) -> list[Item]:
    return [
        replace(
            item,
            features={"image": np.full((n % 3, 4), n, np.float32)},
            audio=sound(n) if n % 2 else None,
            sets=("query",) if n > 6 else (),
            answers={"red": n} if n else None,
        )
        for n, item in enumerate(items)
    ]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_datasets_reads_it_back(form: str, tmp_path: Path, items: Items, write: Write) -> None:
    source = write(tmp_path / "a.h5", rich(items()))
    folder = export(source, tmp_path / "out", form=form, shard_bytes=2000)
    read = datasets.load_dataset(str(folder)) if form == "parquet" else datasets.load_from_disk(str(folder))
    assert {k: len(v) for k, v in read.items()} == {"train": 8, "validation": 2, "test": 2}
    if form == "parquet":
        assert len(list(folder.glob("data/train-*"))) > 1, "a small shard size makes several files"
    names = {"train": "train", "val": "validation", "test": "test"}
    for split, positions in source.splits.items():
        rows = read[names[split]]
        assert rows.features["label"].names == source.label_names
        rows = rows.cast_column("audio", datasets.Audio(decode=False))
        for row, i in zip(rows, positions.tolist(), strict=True):
            assert row["id"] == source.ids[i]
            assert row["texts"] == source.texts(i)
            assert row["label"] == source.labels[i]
            assert row["sets"] == (["query"] if i > 6 else [])
            assert json.loads(row["attributes"]) == source.attributes(i)
            assert json.loads(row["answers"]) == ({"red": i} if i else {})
            assert row["features_image"] == source.item_features("image", i).tolist()
            assert (row["audio"] or {}).get("bytes") == source.audio_bytes(i)
            with Image.open(io.BytesIO(source.image_bytes(i))) as picture:
                assert np.array_equal(np.asarray(row["image"]), np.asarray(picture))


@pytest.mark.parametrize("form", ["parquet", "arrow"])
@pytest.mark.parametrize("kind", ["plain", "multi", "unlabelled"])
def test_round_trip_through_the_builder(form: str, kind: str, tmp_path: Path, items: Items, write: Write) -> None:
    content = items()
    if kind == "multi":
        content = [replace(i, label=("cat", "dog")[: 1 + n % 2]) for n, i in enumerate(content)]
    if kind == "unlabelled":
        content = [replace(i, label=None) for i in content]
    source = write(tmp_path / "a.h5", content, multi_label=kind == "multi")
    folder = export(source, tmp_path / "out", form=form)
    DATASETS.get("hub").build({"source": str(folder)}, out=tmp_path / "b.h5", progress=lambda done, total: None)
    again = Dataset.open(tmp_path / "b.h5")
    place = {one: i for i, one in enumerate(again.ids)}
    assert again.label_names == source.label_names
    for split, positions in source.splits.items():
        assert {again.ids[i] for i in again.splits[split]} == {source.ids[i] for i in positions}
    for i, one in enumerate(source.ids):
        assert again.image_bytes(place[one]) == source.image_bytes(i)
        assert again.texts(place[one]) == source.texts(i)
        assert np.array_equal(again.labels[place[one]], source.labels[i])
    same = [(source.groups[i], again.groups[place[one]]) for i, one in enumerate(source.ids)]
    assert len(set(same)) == len({a for a, _ in same}) == len({b for _, b in same})


def test_refusals(tmp_path: Path, items: Items, write: Write) -> None:
    source = write(tmp_path / "a.h5", items())
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="exists already; give --force"):
        export(source, tmp_path / "out")
    assert export(source, tmp_path / "out", force=True) == tmp_path / "out"
    with pytest.raises(ConfigError, match="must be > 0"):
        export(source, tmp_path / "b", shard_bytes=0)
    with pytest.raises(ConfigError, match="'many' is no size"):
        in_bytes("many")


def test_an_interrupt_leaves_nothing(tmp_path: Path, items: Items, write: Write) -> None:
    source = write(tmp_path / "a.h5", items())

    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(source, tmp_path / "out", progress=stop)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.h5"]
