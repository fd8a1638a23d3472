"""What all items of a dataset together show: leaks between splits, splits with nothing to tell apart."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

SHOWN = 5


def crossing(keys: Sequence[Hashable], splits: Sequence[str]) -> int:
    """Number of keys that stand in more than one split.

    Example:
        >>> crossing(["a", "a", "b", "b"], ["train", "test", "val", "val"])
        1
    """
    first: dict[Hashable, str] = {}
    return len({key for key, split in zip(keys, splits, strict=True) if first.setdefault(key, split) != split})


def single_classes(labels: Sequence[Any], splits: Sequence[str]) -> dict[str, Any]:
    """Splits whose items all have one label -> that label.

    Example:
        >>> single_classes(["cat", "dog", "cat"], ["train", "train", "val"])
        {'val': 'cat'}
    """
    found: dict[str, set[Any]] = {}
    for label, split in zip(labels, splits, strict=True):
        found.setdefault(split, set()).add(label)
    return {split: next(iter(classes)) for split, classes in found.items() if len(classes) < 2}


def notes(
    labels: Sequence[Any], splits: Sequence[str], pixels: Sequence[bytes], groups: Mapping[str, Sequence[str]]
) -> list[str]:
    """Lines on what a reader of results should know of the splits; none is an error.

    Args:
        labels: of each item; a tuple for multi-label data.
        splits: of each item.
        pixels: of each item, a digest of its image.
        groups: the name of the group column -> group of each item; empty where there is none.
    """
    said = []
    count = crossing(pixels, splits)
    if count:
        said.append(f"{count} images with identical pixels stand in more than one split")
    for column, values in groups.items():
        count = crossing(values, splits)
        if count:
            said.append(f"{count} groups of column '{column}' stand in more than one split")
    missing = [name for name in ("train", "val", "test") if name not in splits]
    if missing:
        said.append(f"no item is in {' or '.join(missing)}")
    names: dict[str, set[str]] = {split: set() for split in ("train", "val", "test")}
    for label, split in zip(labels, splits, strict=True):
        names[split].update(label if isinstance(label, tuple) else (label,))
    unseen = sorted((names["val"] | names["test"]) - names["train"])
    if unseen and "train" in splits:
        which = ", ".join(unseen[:SHOWN]) + (", …" if len(unseen) > SHOWN else "")
        said.append(f"{len(unseen)} labels have no training item: {which}")
    return said
