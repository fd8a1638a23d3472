"""Rows of a metadata file as items, with everything that is wrong with each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vsebench.data.builders._images import Loaded, load_image
from vsebench.data.item import SPLITS, Item
from vsebench.data.table import Row
from vsebench.errors import did_you_mean, known_names

SPLIT_NAMES = {
    **{name: name for name in SPLITS},
    "training": "train",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "testing": "test",
}


@dataclass
class RowReader:
    """Turns rows into items, and remembers of each what only all of them together show.

    Args:
        root: the folder that image paths are relative to.
        columns: image, text, label and, where there are such, split, group, id -> column.
        separator: between the labels of a cell; None for single-label data.
        resize: longest side in pixels, or None.
    """

    root: Path
    columns: dict[str, str]
    separator: str | None
    resize: int | None
    rows_of: dict[str, int] = field(default_factory=dict)  # id -> row
    pixels: list[bytes] = field(default_factory=list)  # of each item, as the next three
    groups: list[str] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    splits: list[str | None] = field(default_factory=list)

    def load(self, row: Row) -> Loaded:
        """The row's image; safe to call from several threads."""
        return load_image(self.root, _text(self._cell(row, "image")), self.resize)

    def item(self, row: Row, image: Loaded) -> tuple[Item | None, list[str]]:
        """An item, or what is wrong with the row."""
        path = _text(self._cell(row, "image"))
        one = _text(self._cell(row, "id")) if "id" in self.columns else path
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
        label = self._label(self._cell(row, "label"))
        if not label or (isinstance(label, tuple) and not all(label)):
            problems.append(f"{where}: empty label")
        split = self._split(where, self._cell(row, "split"), problems)
        if problems:
            return None, problems
        # Without a group, or where its cell is empty, the same pixels are the same thing.
        group = _text(self._cell(row, "group")) or f"pixels {image.pixels.hex()}"
        self.pixels.append(image.pixels)
        self.groups.append(group)
        self.labels.append(label)
        self.splits.append(split)
        return Item(one, image.data, texts, label, split=split, group=group), []

    def _cell(self, row: Row, what: str) -> Any:
        return row.cells.get(self.columns[what]) if what in self.columns else None

    def _label(self, value: Any) -> str | tuple[str, ...]:
        if isinstance(value, list):
            return tuple(_text(v) for v in value)
        if self.separator is not None:
            return tuple(part.strip() for part in _text(value).split(self.separator) if part.strip())
        return _text(value)

    def _split(self, where: str, value: Any, problems: list[str]) -> str | None:
        if "split" not in self.columns:
            return None
        said = _text(value).lower()
        if said not in SPLIT_NAMES:
            fault = f"unknown split '{said}'." if said else "empty split."
            problems.append(f"{where}: {fault}" + did_you_mean(said, SPLIT_NAMES) + known_names(SPLITS))
            return None
        return SPLIT_NAMES[said]


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(v) for v in (value if isinstance(value, list) else [value]))
