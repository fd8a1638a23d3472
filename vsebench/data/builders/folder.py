"""A folder of images with a metadata file, in the Hugging Face ImageFolder convention."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Gt
from PIL import Image

from vsebench.data.builders.base import Progress
from vsebench.data.item import SPLITS, Item
from vsebench.data.pixels import open_rgb
from vsebench.data.table import Row, read_table
from vsebench.data.writer import DatasetWriter
from vsebench.errors import DataError, Place, did_you_mean, known_names
from vsebench.registry import DATASETS

SPLIT_NAMES = {
    **{name: name for name in SPLITS},
    "training": "train",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "testing": "test",
}


@DATASETS.register("folder", source="Hugging Face datasets, ImageFolder: a folder with metadata.csv or metadata.jsonl")
def folder(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str | None = None,
    title: str | None = None,
    metadata: str | None = None,
    image_column: str = "file_name",
    text_column: str = "text",
    label_column: str = "label",
    split_column: str | None = None,
    group_column: str | None = None,
    id_column: str | None = None,
    label_separator: str | None = None,
    resize: Annotated[int, Gt(0)] | None = None,
    seed: int = 0,
    skip_bad: bool = False,
) -> None:
    """Build a dataset of images, texts and labels.

    Each row of the metadata is an item. Images are stored as the bytes they came in. Every image is decoded once to
    know that it can be. Splits are the file's own where it has a split column, else 80/10/10 by rule, in which items
    of one group stay together; without a group column items with identical pixels are a group.

    Args:
        out: the dataset file (wired).
        progress: told of every item (wired).
        source: the folder.
        name: of the dataset; the name of ``out`` by default.
        title: how boards call it; the name by default.
        metadata: file inside the folder; ``metadata.csv`` or ``metadata.jsonl`` by default.
        image_column: path of the image, relative to the folder.
        text_column: the caption; in a .jsonl file it may be a list of captions.
        label_column: the class; in a .jsonl file it may be a list (multi-label).
        split_column: train, val or test (or training, valid, validation, dev, testing); by default ``split`` where
            the file has it.
        group_column: items that belong together.
        id_column: unique name of the item; the image's path by default.
        label_separator: splits a cell into several labels (multi-label).
        resize: longest side in pixels; larger images are scaled down and re-encoded as JPEG (quality 95) or PNG.
        seed: of the splits made by rule.
        skip_bad: leave bad rows out, and say how many in the provenance, instead of stopping.

    Raises: DataError that lists every bad row: missing or corrupt image, empty text, unknown split, id twice; a column
    that does not exist; a split with a single class.

    Example:
        >>> folder(Path("out.h5"), lambda done, total: None, source="photos")  # doctest: +SKIP
    """
    root = Path(source).expanduser()
    if not root.is_dir():
        raise DataError("no such folder.", place=Place(source))
    table = read_table(_metadata_file(root, metadata))
    columns = table.columns
    wanted = {"image": image_column, "text": text_column, "label": label_column}
    given = (("split", split_column), ("group", group_column), ("id", id_column))
    wanted |= {what: column for what, column in given if column is not None}
    for what, column in wanted.items():
        if column not in columns:
            option = f"--{what}-column"
            raise DataError(
                f"no column '{column}' for the {what} ({option})."
                + did_you_mean(column, columns)
                + known_names(columns, "Columns"),
                place=Place(str(table.file)),
            )
    if split_column is None and "split" in columns:
        wanted["split"] = "split"
    reader = _Reader(root, wanted, label_separator, resize)
    bad: list[str] = list(table.problems)
    bad_rows = len(bad)
    multi = label_separator is not None or any(isinstance(r.cells.get(label_column), list) for r in table.rows)
    provenance: dict[str, Any] = {
        "builder": "folder",
        "metadata": table.file.name,
        "columns": wanted,
        "resize": resize,
        "notes": [],
    }
    writer = DatasetWriter(
        out, name=name or out.stem, title=title or name or out.stem, multi_label=multi, provenance=provenance, seed=seed
    )
    with writer:
        for i, row in enumerate(table.rows):
            item, problems = reader.item(row)
            bad += problems
            bad_rows += bool(problems)
            if item is not None:
                writer.add(item)
            progress(i + 1, len(table.rows))
        if bad and not skip_bad:
            raise DataError(
                f"{bad_rows} bad rows. Mend them, or leave them out with --skip-bad:",
                problems=bad,
                place=Place(str(table.file)),
            )
        writer.provenance["skipped_rows"] = bad_rows
        writer.provenance["notes"] += reader.leaks()
        reader.check_classes(table.file)


@dataclass
class _Reader:
    """Turns rows into items and remembers what only all rows together show."""

    root: Path
    columns: dict[str, str]
    separator: str | None
    resize: int | None
    seen: dict[str, int] = field(default_factory=dict)
    pixels: dict[str, dict[str, None]] = field(default_factory=dict)  # digest -> splits
    classes: dict[str, set[Any]] = field(default_factory=dict)  # split -> labels

    def item(self, row: Row) -> tuple[Item | None, list[str]]:
        """An item, or what is wrong with the row."""
        problems: list[str] = []

        def cell(what: str) -> Any:
            return row.cells.get(self.columns[what]) if what in self.columns else None

        path = str(cell("image") or "").strip()
        one = str(cell("id") if "id" in self.columns else path).strip()
        if not one and "id" in self.columns:
            problems.append(f"row {row.number}: empty id")
        elif one and one in self.seen:
            problems.append(f"row {row.number}: id '{one}' stands in row {self.seen[one]} already")
        self.seen.setdefault(one, row.number)
        data, key = self._image(row.number, path, problems)
        texts = cell("text")
        texts = tuple(
            str(t).strip() for t in (texts if isinstance(texts, list) else [texts if texts is not None else ""])
        )
        if not texts or not all(texts):
            problems.append(f"row {row.number} (id '{one}'): empty text")
        label = self._label(cell("label"))
        if not label:
            problems.append(f"row {row.number} (id '{one}'): empty label")
        split = self._split(row.number, one, cell("split"), problems)
        if problems or data is None:
            return None, problems
        group = cell("group") if "group" in self.columns else f"pixels {key}"
        self.pixels.setdefault(key, {})[split or ""] = None
        self.classes.setdefault(split or "", set()).add(label)
        return Item(one, data, texts, label, split=split, group=str(group)), []

    def _image(self, number: int, path: str, problems: list[str]) -> tuple[bytes | None, str]:
        if not path:
            problems.append(f"row {number}: empty image path")
            return None, ""
        file = (self.root / path).resolve()
        if not file.is_relative_to(self.root.resolve()):
            problems.append(f"row {number}: image '{path}' lies outside the folder")
            return None, ""
        if not file.is_file():
            problems.append(f"row {number}: image '{path}' does not exist")
            return None, ""
        data = file.read_bytes()
        try:
            picture = open_rgb(data)
        except OSError as error:
            problems.append(f"row {number}: image '{path}': {error}")
            return None, ""
        if self.resize is not None and max(picture.size) > self.resize:
            data, picture = _shrink(picture, self.resize, lossless=file.suffix.lower() == ".png")
        return data, hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).hexdigest()

    def _label(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(str(v) for v in value)
        text = "" if value is None else str(value).strip()
        if self.separator is not None:
            return tuple(part.strip() for part in text.split(self.separator) if part.strip())
        return text

    def _split(self, number: int, one: str, value: Any, problems: list[str]) -> str | None:
        if "split" not in self.columns:
            return None
        said = str(value or "").strip().lower()
        if said not in SPLIT_NAMES:
            problems.append(
                f"row {number} (id '{one}'): unknown split '{said}'."
                + did_you_mean(said, SPLIT_NAMES)
                + known_names(SPLITS)
            )
            return None
        return SPLIT_NAMES[said]

    def leaks(self) -> list[str]:
        """Notes on pixels that stand in two splits of the file's own."""
        crossing = sum(len(splits) > 1 for splits in self.pixels.values())
        return [f"{crossing} images with identical pixels stand in more than one split"] if crossing else []

    def check_classes(self, file: Path) -> None:
        """Refuse a split in which there is nothing to tell apart."""
        for split, classes in self.classes.items():
            if len(classes) < 2:
                which = f"the {split} split has" if split else "the file has"
                only = next(iter(classes))
                raise DataError(
                    f"{which} a single class ('{only}'); classification needs at least two.", place=Place(str(file))
                )


def _metadata_file(root: Path, metadata: str | None) -> Path:
    if metadata is not None:
        return root / metadata
    found = [root / f"metadata.{suffix}" for suffix in ("csv", "jsonl") if (root / f"metadata.{suffix}").is_file()]
    if len(found) != 1:
        problem = (
            "both metadata.csv and metadata.jsonl are there; say which with --metadata"
            if found
            else ("neither metadata.csv nor metadata.jsonl is there")
        )
        raise DataError(f"{problem}.", place=Place(str(root)))
    return found[0]


def _shrink(picture: Image.Image, side: int, *, lossless: bool) -> tuple[bytes, Image.Image]:
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if lossless:
        picture.save(buffer, "PNG")
    else:
        picture.save(buffer, "JPEG", quality=95)
    return buffer.getvalue(), picture
