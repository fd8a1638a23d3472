"""Rows of a metadata file as items, with everything that is wrong with each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vsebench.data.builders._columns import label_of, split_of, text_of
from vsebench.data.builders._features import FeatureSource
from vsebench.data.builders._images import Loaded, load_image
from vsebench.data.item import Item
from vsebench.data.table import Row


@dataclass
class RowReader:
    """Turns rows into items, and remembers of each what only all of them together show.

    Args:
        root: the folder that image paths are relative to.
        columns: image, text, label and, where there are such, split, group, id -> column.
        separator: between the labels of a cell; None for single-label data.
        resize: longest side in pixels, or None.
        features: precomputed features in the image's place, or None.
    """

    root: Path
    columns: dict[str, str]
    separator: str | None
    resize: int | None
    features: FeatureSource | None = None
    rows_of: dict[str, int] = field(default_factory=dict)  # id -> row
    pixels: list[bytes] = field(default_factory=list)  # of each item, as the next three
    groups: list[str] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    splits: list[str | None] = field(default_factory=list)

    def load(self, row: Row) -> Loaded:
        """The row's image; safe to call from several threads."""
        if "image" not in self.columns:
            return Loaded()
        return load_image(self.root, text_of(self._cell(row, "image")), self.resize)

    def item(self, row: Row, image: Loaded, position: int) -> tuple[Item | None, list[str]]:
        """An item, or what is wrong with the row."""
        path = text_of(self._cell(row, "image"))
        one = text_of(self._cell(row, "id")) if "id" in self.columns else path
        problems: list[str] = []
        where = f"row {row.number} (id '{one}')"
        if not one and "id" in self.columns:
            where = f"row {row.number}"
            problems.append(f"{where}: empty id")
        elif one and one in self.rows_of:
            problems.append(f"row {row.number}: id '{one}' stands in row {self.rows_of[one]} already")
        self.rows_of.setdefault(one, row.number)
        if image.problem is not None:
            problems.append(f"{f'row {row.number}' if one == path else where}: {image.problem}")
        texts = _texts(self._cell(row, "text"))
        if not texts or not all(texts):
            problems.append(f"{where}: empty text")
        label = label_of(self._cell(row, "label"), self.separator)
        if not label or (isinstance(label, tuple) and not all(label)):
            problems.append(f"{where}: empty label")
        faults: list[str] = []
        split = split_of(self._cell(row, "split"), faults) if "split" in self.columns else None
        problems += [f"{where}: {fault}" for fault in faults]
        tokens = None
        if self.features is not None:
            try:
                tokens = {"image": self.features.get(one, position)}
            except OSError as error:
                problems.append(f"{where}: {error}")
        if problems:
            return None, problems
        # Without a group, or where its cell is empty, the same pixels are the same thing.
        group = text_of(self._cell(row, "group")) or (f"pixels {image.pixels.hex()}" if image.pixels else None)
        self.pixels.append(image.pixels or one.encode())
        self.groups.append(group or one)
        self.labels.append(label)
        self.splits.append(split)
        return Item(one, image.data, texts, label, split=split, group=group, features=tokens), []

    def _cell(self, row: Row, what: str) -> Any:
        return row.cells.get(self.columns[what]) if what in self.columns else None


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(text_of(v) for v in (value if isinstance(value, list) else [value]))
