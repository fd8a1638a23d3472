"""A folder of images with a metadata file, in the Hugging Face ImageFolder convention."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Gt

from vsebench.data.builders._build import source_folder
from vsebench.data.builders._columns import check_columns, metadata_file
from vsebench.data.builders._features import open_features
from vsebench.data.builders._findings import notes, single_classes
from vsebench.data.builders._images import prefetch
from vsebench.data.builders._rows import RowReader
from vsebench.data.builders.base import Progress
from vsebench.data.splits import make_splits
from vsebench.data.table import read_table
from vsebench.data.writer import DatasetWriter
from vsebench.errors import ConfigError, DataError, Place
from vsebench.registry import DATASETS


@DATASETS.register(
    "folder",
    source="Hugging Face datasets, ImageFolder: a folder with metadata.csv or metadata.jsonl",
    layout="metadata.csv (or .jsonl) with columns file_name, text and label, or others that options name\nNAME.jpg",
)
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
    relevance: Literal["item", "group", "label"] = "item",
    features: str | None = None,
    images: bool = True,
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
        relevance: what is a match in retrieval: an item's own texts, those of its group, or those of all items that
            share a label with it (as hashing has it).
        features: precomputed region features in the image's place: a folder of ``<id>.npy``, an HDF5 file, or a
            ``.npy``/``.mat`` array in the order of the rows (``FILE:KEY``).
        images: store the images; without them there must be features, and no image column is needed.
        resize: longest side in pixels; larger images are scaled down and re-encoded as JPEG (quality 95) or PNG.
        seed: of the splits made by rule.
        skip_bad: leave bad rows out, and say how many in the provenance, instead of stopping.

    Raises: ConfigError without images and without features; DataError that lists every bad row: missing or corrupt
    image, empty text, unknown split, id twice; a column that does not exist; a split with a single class.

    Example:
        >>> folder(Path("out.h5"), lambda done, total: None, source="photos")  # doctest: +SKIP
    """
    root = source_folder(source)
    if not images and (features is None or id_column is None):
        raise ConfigError("without images there must be --features and --id-column.", path=("images",))
    file = metadata_file(root, metadata)
    assert file is not None, "it is needed"
    table = read_table(file)
    wanted = {"image": image_column} if images else {}
    wanted |= {"text": text_column, "label": label_column}
    given = (("split", split_column), ("group", group_column), ("id", id_column))
    wanted |= {what: column for what, column in given if column is not None}
    check_columns(table, wanted)
    if "split" in table.columns:
        wanted.setdefault("split", "split")
    multi = label_separator is not None or any(isinstance(r.cells.get(label_column), list) for r in table.rows)
    provenance: dict[str, Any] = {
        "builder": "folder",
        "metadata": table.file.name,
        "metadata_sha256": hashlib.sha256(table.file.read_bytes()).hexdigest(),
        "columns": wanted,
        "features": None if features is None else Path(features).name,
        "groups": f"column '{group_column}'" if group_column is not None else "identical pixels",
        "resize": resize,
        "notes": [],
    }
    values = None if features is None else open_features(features)
    if values is not None:
        values.expect(len(table.rows))
    reader = RowReader(root, wanted, label_separator, resize, values)
    writer = DatasetWriter(
        out,
        name=name or out.stem,
        title=title or name or out.stem,
        multi_label=multi,
        relevance=relevance,
        provenance=provenance,
        seed=seed,
    )
    bad = list(table.problems)
    bad_rows = len(bad)
    with writer:
        for i, (row, image) in enumerate(zip(table.rows, prefetch(reader.load, table.rows), strict=True)):
            item, problems = reader.item(row, image, i)
            bad += problems
            bad_rows += bool(problems)
            if item is not None:
                writer.add(item)
            progress(i + 1, len(table.rows))
        if bad and not skip_bad:
            rows = (
                "1 bad row. Mend it, or leave it" if bad_rows == 1 else f"{bad_rows} bad rows. Mend them, or leave them"
            )
            raise DataError(f"{rows} out with --skip-bad:", problems=bad, place=Place(str(table.file)))
        if not len(writer):
            raise DataError(f"all {bad_rows} rows are bad:", problems=bad, place=Place(str(table.file)))
        writer.provenance["skipped_rows"] = bad_rows
        writer.provenance["notes"] += _look_at_splits(reader, table.file, group_column, seed)


def _look_at_splits(reader: RowReader, file: Path, group_column: str | None, seed: int) -> list[str]:
    """Refuse splits in which there is nothing to tell apart; note what else is odd about them."""
    own = [split for split in reader.splits if split is not None]
    single = single_classes(reader.labels, own or ["file"] * len(reader.labels))
    if single:
        faults = [f"the {split} {'split ' * bool(own)}has a single class ('{c}')" for split, c in single.items()]
        raise DataError(f"{', '.join(faults)}; classification needs at least two.", place=Place(str(file)))
    splits = own or _splits_by_rule(reader.labels, reader.groups, seed)
    found = notes(
        reader.labels, splits, reader.pixels, {} if group_column is None or not own else {group_column: reader.groups}
    )
    # Splits made by rule of very few items: not the user's fault, but nothing to report results on either.
    few = (
        []
        if own
        else [f"the {s} split has a single class ('{c}')" for s, c in single_classes(reader.labels, splits).items()]
    )
    return found + few


def _splits_by_rule(labels: Sequence[Any], groups: Sequence[str], seed: int) -> list[str]:
    """The splits that the writer will make: the rule depends only on the items and the seed."""
    rows = [label if isinstance(label, tuple) else (label,) for label in labels]
    number = {name: i for i, name in enumerate(sorted({name for row in rows for name in row}))}
    coded: np.ndarray = np.array([number[row[0]] for row in rows])
    if any(isinstance(label, tuple) for label in labels):
        coded = np.zeros((len(rows), len(number)), np.uint8)
        for i, row in enumerate(rows):
            coded[i, [number[name] for name in row]] = 1
    made = make_splits(coded, np.unique(np.array(groups), return_inverse=True)[1], seed=seed)
    return [name for _, name in sorted((int(i), name) for name, positions in made.items() for i in positions)]
