"""Rows of a metadata file as items, with everything that is wrong with each."""

from __future__ import annotations

import hashlib
import io
import posixpath
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from vsebench.data.item import SPLITS, Item
from vsebench.data.pixels import open_rgb
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

    def item(self, row: Row) -> tuple[Item | None, list[str]]:
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
        data, key = self._image(f"row {row.number}" if one == path else where, path, problems)
        texts = _texts(self._cell(row, "text"))
        if not texts or not all(texts):
            problems.append(f"{where}: empty text")
        label = self._label(self._cell(row, "label"))
        if not label or (isinstance(label, tuple) and not all(label)):
            problems.append(f"{where}: empty label")
        split = self._split(where, self._cell(row, "split"), problems)
        if problems or data is None:
            return None, problems
        # Without a group, or where its cell is empty, the same pixels are the same thing.
        group = _text(self._cell(row, "group")) or f"pixels {key.hex()}"
        self.pixels.append(key)
        self.groups.append(group)
        self.labels.append(label)
        self.splits.append(split)
        return Item(one, data, texts, label, split=split, group=group), []

    def _cell(self, row: Row, what: str) -> Any:
        return row.cells.get(self.columns[what]) if what in self.columns else None

    def _image(self, where: str, path: str, problems: list[str]) -> tuple[bytes | None, bytes]:
        if not path:
            problems.append(f"{where}: empty image path")
            return None, b""
        # The path as it is written must stay inside; a link inside the folder may well lead to another disk.
        if posixpath.normpath(path).split("/")[0] == ".." or Path(path).is_absolute():
            problems.append(f"{where}: image '{path}' lies outside the folder")
            return None, b""
        try:
            data = (self.root / path).read_bytes()
        except FileNotFoundError:
            problems.append(f"{where}: image '{path}' does not exist")
            return None, b""
        except (OSError, ValueError) as error:  # a folder, no permission, a name too long; a NUL in the name
            problems.append(f"{where}: image '{path}' cannot be read ({getattr(error, 'strerror', None) or error})")
            return None, b""
        try:
            picture = open_rgb(data)
        except OSError as error:
            problems.append(f"{where}: image '{path}': {error}")
            return None, b""
        if self.resize is not None and max(picture.size) > self.resize:
            data, picture = _shrink(picture, self.resize, lossless=path.lower().endswith(".png"))
        return data, hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).digest()

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


def _shrink(picture: Image.Image, side: int, *, lossless: bool) -> tuple[bytes, Image.Image]:
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if lossless:
        picture.save(buffer, "PNG")
    else:
        picture.save(buffer, "JPEG", quality=95)
    return buffer.getvalue(), picture
