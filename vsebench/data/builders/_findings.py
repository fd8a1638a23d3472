"""What all items of a dataset together show: leaks between splits, splits with nothing to tell apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from vsebench.data.item import SPLITS
from vsebench.data.writer import DatasetWriter

SHOWN = 5
#: Splits without which nothing can be run; ``rest`` is optional.
NEEDED = ("train", "val", "test")


def crossing(keys: Sequence[Hashable], splits: Sequence[str]) -> int:
    """Return the number of keys that stand in more than one split.

    Example:
        >>> crossing(["a", "a", "b", "b"], ["train", "test", "val", "val"])
        1
    """
    first: dict[Hashable, str] = {}
    return len({key for key, split in zip(keys, splits, strict=True) if first.setdefault(key, split) != split})


def refusal(writer: DatasetWriter) -> str:
    """Why nothing can be run on the items that were added; empty where something can.

    A source's own splits without train, val or test would only be missed when a run starts; a single class leaves
    nothing to tell apart.
    """
    labels, names, _, split = writer.arranged()
    has_splits = any(one is not None for one in writer.columns["split"])
    absent = [name for name in NEEDED if has_splits and not (split == SPLITS.index(name)).any()]
    if absent:
        return (
            f"no item is in {' or '.join(absent)}, and runs need train, val and test. Say which items are, or let the"
            " splits be made by rule (--split-column= where they stand in a column)."
        )
    if names and not writer.meta["multi_label"] and len(np.unique(labels)) < 2:
        name = names[int(labels[0])]
        return (
            f"the file has a single class ('{name}'); classification needs at least two."
            " For data without labels give --label-column= where the builder has it."
        )
    return ""


def one_class_splits(writer: DatasetWriter) -> dict[str, str]:
    """Return the splits for training or evaluation that have a single class, with its name; empty for data without
    labels or with several an item.
    """
    labels, names, _, split = writer.arranged()
    if not names or writer.meta["multi_label"]:
        return {}
    classes = {name: np.unique(labels[split == SPLITS.index(name)]) for name in NEEDED}
    return {name: names[int(values[0])] for name, values in classes.items() if len(values) == 1}


def split_notes(writer: DatasetWriter, group_column: str | None = None) -> list[str]:
    """Lines on what a reader of results should know of the splits; none is an error."""
    labels, names, _, split = writer.arranged()
    splits = [SPLITS[s] for s in split]
    groups = {} if group_column is None else {group_column: writer.columns["group"]}
    rows: list[Any] = []
    if names:
        rows = [tuple(np.flatnonzero(r).tolist()) for r in labels] if labels.ndim == 2 else labels.tolist()
        rows = [tuple(names[k] for k in r) if isinstance(r, tuple) else names[r] for r in rows]
    lines = notes(rows or [()] * len(splits), splits, [], groups)
    return lines + [f"the {s} split has a single class ('{c}')" for s, c in one_class_splits(writer).items()]


def notes(
    labels: Sequence[Any], splits: Sequence[str], pixels: Sequence[bytes], groups: Mapping[str, Sequence[str]]
) -> list[str]:
    """Lines on splits that share things, and on labels that are never trained on.

    Args:
        labels: of each item; a tuple for multi-label data.
        splits: of each item.
        pixels: of each item, a digest of its image; empty where leaks of images are counted elsewhere.
        groups: the name of the group column -> group of each item; empty where there is none.
    """
    lines = []
    count = crossing(pixels, splits) if pixels else 0
    if count:
        lines.append(f"{count} images with identical pixels stand in more than one split")
    for column, values in groups.items():
        count = crossing(values, splits)
        if count:
            lines.append(f"{count} groups of column '{column}' stand in more than one split")
    missing = [name for name in NEEDED if name not in splits]
    if missing:
        lines.append(f"no item is in {' or '.join(missing)}")
    names: dict[str, set[str]] = {split: set() for split in NEEDED}
    for label, split in zip(labels, splits, strict=True):
        if split in names:
            names[split].update(label if isinstance(label, tuple) else (label,))
    unseen = sorted((names["val"] | names["test"]) - names["train"])
    if unseen and "train" in splits:
        which = ", ".join(unseen[:SHOWN]) + (", …" if len(unseen) > SHOWN else "")
        lines.append(f"{len(unseen)} labels have no training item: {which}")
    return lines


def lost_by_skipping(rows: int, bad: int, given: Mapping[str | None, int], remaining: Sequence[str | None]) -> str:
    """Describe what remains where skipping bad rows would lose most rows or a whole split; empty where it would not.

    Args:
        rows: in all.
        bad: of them at fault.
        given: split -> number of rows of it, as far as they could be read.
        remaining: split of each row without fault.

    Example:
        >>> lost_by_skipping(150, 120, {None: 150}, [None] * 30)
        'only 30 of 150 rows'
        >>> lost_by_skipping(10, 2, {"train": 8, "test": 2}, ["train"] * 8)
        'no row of test'
    """
    if bad >= rows:
        return "no row"
    if 2 * bad > rows:
        return f"only {rows - bad:,} of {rows:,} rows"
    counts = Counter(remaining)
    lost = [split for split in given if split is not None and not counts[split]]
    return f"no row of {' or '.join(lost)}" if lost else ""
