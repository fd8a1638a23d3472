"""A folder of images with a metadata file, in the Hugging Face ImageFolder convention."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from annotated_types import Gt

from vsebench.core.errors import ConfigError
from vsebench.core.files import file_digest
from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import Build, source_folder
from vsebench.data.builders._cells import Cells, Labels
from vsebench.data.builders._columns import (
    check_columns,
    in_split_folders,
    metadata_file,
    numbered_texts,
    table_columns,
    text_columns,
)
from vsebench.data.builders._columns import split_column as split_column_of
from vsebench.data.builders._features import open_features
from vsebench.data.builders._rows import FROM_FOLDERS, RowReader, columns_entry, writer_of_rows
from vsebench.data.builders._same import OneItemPer, Same, build_rows
from vsebench.data.builders.base import Progress
from vsebench.data.table import read_table
from vsebench.data.writer import Relevance

HINTS = {
    "label": "Data without labels: --label-column= (an empty name).",
    "text": "Several columns of captions are separated by commas; images and labels alone: --text-column=.",
}


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
    slice_column: str | None = None,
    label_separator: str | None = None,
    missing_values: str | None = None,
    one_item_per: OneItemPer = "file",
    relevance: Relevance | None = None,
    features: str | None = None,
    images: bool = True,
    resize: Annotated[int, Gt(0)] | None = None,
    seed: int = 0,
    skip_bad: bool = False,
) -> None:
    """Build a dataset of images, texts and labels.

    Each row of the metadata is an item, but rows of one split that name the same image and have the same label are one
    item with several texts. Images are stored as the bytes they came in. Every image is decoded once to know that it
    can be. Splits are the file's own where it has a split column (without any ``val``, a tenth of train becomes it),
    else 80/10/10 by rule, in which items of one group stay together; without a group column items with identical
    pixels are a group.

    Args:
        out: the dataset file (wired).
        progress: told of every item (wired).
        source: the folder.
        name: of the dataset; the name of ``out`` by default.
        title: how boards call it; the name by default.
        metadata: file inside the folder; ``metadata.csv`` or ``metadata.jsonl`` by default.
        image_column: path of the image, relative to the folder.
        text_column: the caption; in a .jsonl file it may be a list of captions. Several columns are separated by
            commas; numbered ones (``caption_0``, ``caption_1``, …) are found where there is no column ``text``. An
            empty name: no texts.
        label_column: the class; in a .jsonl file it may be a list (multi-label). An empty name: no labels.
        split_column: train, val or test (or training, valid, validation, dev, testing, in any case); by default
            ``split`` where the file has it, else the only column whose values are all such names, else the folders of
            the images where these are. An empty name: splits by rule.
        group_column: items that belong together.
        id_column: unique name of the item; the image's path by default.
        slice_column: a category, such as a product group or a language, by which metrics are given too; several
            columns are separated by commas.
        label_separator: splits a cell into several labels (multi-label).
        missing_values: texts that stand for no value beside an empty cell, separated by commas, in place of nan, null,
            n/a and <na> in any case, None and NA.
        one_item_per: ``file``: rows of one image are one item with several texts, as caption data have it; ``row``:
            each row is an item. Rows of one image whose labels differ are items each, in one group.
        relevance: what is a match in retrieval: an item's own texts, those of its group, or those of all items that
            share a label with it (as hashing has it). By default ``item``; ``group`` where items show the same picture.
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
    cells = Cells.of(missing_values)
    # Columns are looked for before any row is read, so that a misspelt name is one message and not one for each row.
    texts = text_columns(text_column, table.columns) if text_column else []
    if texts == ["text"] and "text" not in table.columns:
        texts = numbered_texts(table.columns) or texts
    wanted = {"image": image_column} if images else {}
    wanted |= {"label": label_column} if label_column else {}
    given = (("split", split_column), ("group", group_column), ("id", id_column))
    wanted |= {what: column for what, column in given if column}
    check_columns(table, {**wanted, **({"text": texts[0]} if texts else {})}, HINTS)
    for column in texts[1:]:
        check_columns(table, {"text": column}, HINTS)
    slices = text_columns(slice_column, table.columns) if slice_column else []
    for column in slices:
        check_columns(table, {"slice": column})
    taken = {*wanted.values(), *texts} - {split_column}  # a slice changes nothing else
    split: Any
    split, notes = split_column_of(split_column, table_columns(table), taken, str(file), cells)
    if split is not None:
        wanted["split"] = split
    elif split_column is None and images:
        paths = [cells.text(row.cells.get(image_column), "image", []) for row in table.rows]
        if in_split_folders(paths):
            split = FROM_FOLDERS
            notes.append("the splits are the folders that the images lie in (--split-column= makes them by rule)")
    labels = None
    if label_column:
        labels = Labels(cells, (row.cells.get(label_column) for row in table.rows), label_separator)
        notes += labels.notes
    if len(texts) > 1 and text_column == "text":
        notes.append(f"the texts are those of the columns {', '.join(texts)}")
    values = None if features is None else open_features(features)
    if values is not None:
        values.expect(len(table.rows))

    def attempt(same: Same) -> None:
        provenance: dict[str, Any] = {
            "builder": "folder",
            "metadata": table.file.name,
            "metadata_sha256": file_digest(table.file),
            "columns": {**wanted, **columns_entry("text", texts), **columns_entry("slice", slices)},
            "features": None if features is None else Path(features).name,
            "groups": f"column '{group_column}'" if group_column is not None else "identical pixels",
            "resize": resize,
            "notes": [],
        }
        writer = writer_of_rows(out, provenance, labels, name=name, title=title, relevance=relevance, seed=seed)
        each_row = same.one_item_per == "row" or bool(same.apart)
        reader = RowReader(wanted, texts, split, cells, labels, values, slices, each_row)
        with Build(
            root,
            writer,
            progress,
            str(table.file),
            skip_bad=skip_bad,
            resize=resize,
            group_pixels=True,
            same=same,
            rows=True,
            group_column=group_column,
        ) as build:
            build.read(table)
            build.notes += notes
            build.add(reader.drafts(table.rows), len(table.rows))

    build_rows(attempt, one_item_per, relevance)
