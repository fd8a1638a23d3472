"""Columns that hold splits are used or refused, and what was chosen is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from builder_layouts import picture, put, sound

from vsebench.core.errors import DataError
from vsebench.data.dataset import Dataset

Build = Callable[..., Dataset]
OWN = ["train"] * 20 + ["val"] * 10 + ["test"] * 10


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def lay_out(root: Path, builder: str, *, folder: Callable[[int], str] = lambda n: "", **columns: list[Any]) -> Path:
    """Forty rows with further columns."""
    if builder == "hub":
        root.mkdir()
        cells = {"text": [f"caption {n}" for n in range(40)], "label": ["a", "b"] * 20, **columns}
        cells["image"] = [{"bytes": picture(n), "path": None} for n in range(40)]
        datasets.Dataset.from_dict(cells).cast_column("image", datasets.Image()).to_parquet(root / "train.parquet")
        return root
    lines = [",".join(["file_name", "text", "label", *columns])]
    for n in range(40):
        name = f"{folder(n)}{n}" + (".wav" if builder == "audio" else ".jpg")
        put(root / name, sound(n) if builder == "audio" else picture(n))
        lines.append(",".join([name, f"caption {n}", "ab"[n % 2], *(str(c[n]) for c in columns.values())]))
    put(root / "metadata.csv", "\n".join(lines))
    return root


def sizes(dataset: Dataset) -> dict[str, int]:
    return {split: len(rows) for split, rows in dataset.splits.items()}


BUILDERS = ("folder", "audio", "hub")


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("column", ["Split", " split", "set", "partition", "fold", "subset", "data_split", "Usage"])
def test_a_column_of_splits_is_used_whatever_its_name(column: str, builder: str, build: Build, tmp_path: Path) -> None:
    root = lay_out(tmp_path / "in", builder, **{column: OWN})
    dataset = build(builder, root)
    assert sizes(dataset) == {"train": 20, "val": 10, "test": 10}
    assert (
        f"the splits are those of column '{column}' (--split-column= makes them by rule)"
        in (dataset.provenance["notes"])
    )
    assert dataset.provenance["columns"]["split"] == column
    assert sizes(build(builder, root, split_column="")) == {"train": 32, "val": 4, "test": 4}


@pytest.mark.parametrize("builder", BUILDERS)
def test_names_of_splits_in_any_spelling(builder: str, build: Build, tmp_path: Path) -> None:
    current = ["training", "TRAIN"] * 10 + ["validation", "dev", "valid", "Val", "val"] * 2 + ["Test ", "testing"] * 5
    assert sizes(build(builder, lay_out(tmp_path / "in", builder, split=current))) == {
        "train": 20,
        "val": 10,
        "test": 10,
    }


@pytest.mark.parametrize("builder", BUILDERS)
def test_without_val_a_tenth_of_train_becomes_it(builder: str, build: Build, tmp_path: Path) -> None:
    dataset = build(builder, lay_out(tmp_path / "in", builder, split=["train"] * 30 + ["test"] * 10))
    assert sizes(dataset) == {"train": 27, "val": 3, "test": 10}
    assert "but for val: 10 % of train" in dataset.provenance["split_rule"]


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("missing", ["train", "test"])
def test_without_train_or_test_nothing_is_built(missing: str, builder: str, build: Build, tmp_path: Path) -> None:
    other = {"train": "test", "test": "train"}[missing]
    root = lay_out(tmp_path / "in", builder, split=[other] * 30 + ["val"] * 10)
    with pytest.raises(DataError, match=rf"no item is in {missing}, and runs need train, val .*--split-column= where"):
        build(builder, root)
    assert sizes(build(builder, root, split_column=""))["train"] == 32


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_column_that_may_hold_splits_is_refused(builder: str, build: Build, tmp_path: Path) -> None:
    root = lay_out(tmp_path / "in", builder, set=["train"] * 20 + ["query"] * 20)
    with pytest.raises(DataError, match="column 'set' looks like the splits, but holds 'query' beside 'train'"):
        build(builder, root)
    root = lay_out(tmp_path / "two", builder, set=OWN, part=OWN[::-1])
    with pytest.raises(DataError, match="columns 'set', 'part' all hold names of splits. Name the right one"):
        build(builder, root)
    assert sizes(build(builder, root, split_column="part")) == {"train": 20, "val": 10, "test": 10}


@pytest.mark.parametrize("builder", BUILDERS)
def test_numbered_folds_are_not_used_and_that_is_said(builder: str, build: Build, tmp_path: Path) -> None:
    dataset = build(builder, lay_out(tmp_path / "in", builder, fold=[1, 2, 3, 4] * 10))
    message = "column 'fold' (1, 2, 3, 4) is not used for splits; --split-column names the one that is"
    assert message in dataset.provenance["notes"]


def test_folders_of_images_are_splits(build: Build, tmp_path: Path) -> None:
    root = lay_out(tmp_path / "in", "folder", folder=lambda n: f"{OWN[n]}/")
    dataset = build("folder", root)
    assert sizes(dataset) == {"train": 20, "val": 10, "test": 10}
    assert any(note.startswith("the splits are the folders") for note in dataset.provenance["notes"])


def test_a_class_column_may_hold_names_of_splits(build: Build, tmp_path: Path) -> None:
    root = lay_out(tmp_path / "in", "folder")
    text = (root / "metadata.csv").read_text().replace(",a", ",train").replace(",b", ",test")
    put(root / "metadata.csv", text)
    assert sizes(build("folder", root)) == {"train": 32, "val": 4, "test": 4}


def test_one_class_splits_are_noted(build: Build, tmp_path: Path) -> None:
    root = lay_out(tmp_path / "in", "hub", split=OWN, label=["a", "b"] * 15 + ["a"] * 10)
    assert "the test split has a single class ('a')" in build("hub", root).provenance["notes"]
