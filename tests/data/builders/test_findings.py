"""What all items together show: leaks, single classes, labels never trained on."""

from __future__ import annotations

from vsebench.data.builders._findings import crossing, notes


def test_crossing_counts_keys_not_items() -> None:
    assert crossing(["a", "a", "a", "b", "c"], ["train", "val", "test", "val", "val"]) == 1
    assert crossing([], []) == 0


def test_notes() -> None:
    pixels = [b"1", b"2", b"3"]
    assert notes(["x", "y", "x"], ["train", "train", "val"], pixels, {}) == ["no item is in test"]
    labels = [("a", "b"), ("b", "c"), ("d",)]
    assert notes(labels, ["train", "val", "test"], pixels, {}) == ["2 labels have no training item: c, d"]
    many = [str(i) for i in range(9)]
    message = notes(many, ["train"] + ["val"] * 8, [b"%d" % i for i in range(9)], {"shop": ["s"] * 9})
    assert message == [
        "1 groups of column 'shop' stand in more than one split",
        "no item is in test",
        "8 labels have no training item: 1, 2, 3, 4, 5, …",
    ]
