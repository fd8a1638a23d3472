"""What all items together show: leaks, single classes, labels never trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vsebench.data.builders._findings import crossing, notes, single_classes
from vsebench.data.builders.folder import _splits_by_rule
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter


def test_crossing_counts_keys_not_items() -> None:
    assert crossing(["a", "a", "a", "b", "c"], ["train", "val", "test", "val", "val"]) == 1
    assert crossing([], []) == 0


def test_single_classes() -> None:
    assert single_classes(["x", "y", "y", "y"], ["train", "train", "val", "val"]) == {"val": "y"}
    assert single_classes([("x",), ("x", "y")], ["train", "train"]) == {}


def test_notes() -> None:
    pixels = [b"1", b"2", b"3"]
    assert notes(["x", "y", "x"], ["train", "train", "val"], pixels, {}) == ["no item is in test"]
    labels = [("a", "b"), ("b", "c"), ("d",)]
    assert notes(labels, ["train", "val", "test"], pixels, {}) == ["2 labels have no training item: c, d"]
    many = [str(i) for i in range(9)]
    said = notes(many, ["train"] + ["val"] * 8, [b"%d" % i for i in range(9)], {"shop": ["s"] * 9})
    assert said == [
        "1 groups of column 'shop' stand in more than one split",
        "no item is in test",
        "8 labels have no training item: 1, 2, 3, 4, 5, …",
    ]


@pytest.mark.parametrize("multi", [False, True])
def test_the_splits_that_are_looked_at_are_the_splits_that_are_made(multi: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ("b", "a", "ß", "Z")
    labels = [tuple(names[: k + 1]) if multi else names[k] for k in rng.integers(0, 4, 90)]
    groups = [f"g{g}" for g in rng.integers(0, 60, 90)]
    with DatasetWriter(tmp_path / "a.h5", name="a", title="A", multi_label=multi, seed=5) as writer:
        for i, (label, group) in enumerate(zip(labels, groups, strict=True)):
            writer.add(Item(str(i), None, ("x",), label, group=group))
    made = Dataset.open(tmp_path / "a.h5").splits
    looked_at = _splits_by_rule(labels, groups, 5)
    assert {name: [i for i, s in enumerate(looked_at) if s == name] for name in made} == {
        name: rows.tolist() for name, rows in made.items()
    }
