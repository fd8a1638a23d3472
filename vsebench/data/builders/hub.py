"""Datasets of the Hugging Face hub, and local tables in its formats."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Gt

from vsebench.core.errors import ConfigError, DataError
from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import Build
from vsebench.data.builders._cells import Cells, Labels
from vsebench.data.builders._columns import text_columns
from vsebench.data.builders._hub import HubReader, column_of_splits, column_values, split_map, undecoded
from vsebench.data.builders._hub_columns import Columns, check_column, find_columns, same_features
from vsebench.data.builders._rows import columns_entry, writer_of_rows
from vsebench.data.builders._same import OneItemPer, Same, build_rows
from vsebench.data.builders._tables import Tables, load, open_tables
from vsebench.data.builders.base import Progress
from vsebench.data.writer import Relevance


@DATASETS.register(
    "hub",
    source="Lhoest et al. 2021, Datasets: a community library, arXiv:2109.02846",
    get="https://huggingface.co/datasets: 'vsebench data build hub:ORG/NAME'",
    licence="each dataset's own",
    layout="hub:ORG/NAME, or a local folder: one of save_to_disk, of Parquet or Arrow files,\n"
    "of WebDataset shards (.tar), or any that datasets.load_dataset reads",
)
def hub(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str | None = None,
    title: str | None = None,
    config: str | None = None,
    revision: str | None = None,
    splits: str | None = None,
    image_column: str | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    audio_column: str | None = None,
    id_column: str | None = None,
    group_column: str | None = None,
    split_column: str | None = None,
    slice_column: str | None = None,
    missing_values: str | None = None,
    one_item_per: OneItemPer = "file",
    relevance: Relevance | None = None,
    text_lines: Literal["captions", "one"] = "captions",
    streaming: bool = False,
    limit: Annotated[int, Gt(0)] | None = None,
    resize: Annotated[int, Gt(0)] | None = None,
    seed: int = 0,
    skip_bad: bool = False,
) -> None:
    """Build a dataset from the Hugging Face hub, its cache, or local files in its formats.

    ``datasets`` does the loading: offline (HF_HUB_OFFLINE=1) from its cache, or from a local folder. Images and sounds
    are stored as the encoded bytes that the table holds. Columns are found by type (Image, Audio, ClassLabel) and
    usual name where no option names them. Without any validation split a tenth of train becomes it; a single split is
    divided 80/10/10; both stratified, seeded, images with identical pixels together.

    Args:
        out: the dataset file (wired).
        progress: told of every row (wired).
        source: repository name, or a local file or folder.
        name: of the dataset; the name of ``out`` by default.
        title: how boards call it; the name by default.
        config: of the repository ("subset").
        revision: of the repository: a branch, tag or commit. The commit that it meant is kept in the file.
        splits: which of its splits are what: ``train=train,validation=val,unlabeled=rest``; others are left out. By
            default their names say it.
        image_column: a column of images.
        text_column: captions; a cell may hold a list of them. Several columns are separated by commas; numbered ones
            (``caption_0``, ``caption_1``, …) are found.
        label_column: a ClassLabel, text or number; lists are multi-label. Without such a column, or with an empty name,
            the data is unlabelled.
        audio_column: a column of sounds.
        id_column: unique names; split and row number by default. Ids that stand in several splits get the split's name
            in front.
        group_column: items that belong together.
        split_column: a column of splits, used where the source has a single split; found as in ``folder``. An empty
            name: splits by rule.
        slice_column: a category, such as a product group or a language, by which metrics are given too; several
            columns are separated by commas.
        missing_values: texts that stand for no value beside an empty cell, separated by commas, in place of nan, null,
            n/a and <na> in any case, None and NA.
        one_item_per: ``file``: rows of a split with the same encoded image (or sound) and label are one item with
            several texts; ``row``: each row is an item. Rows whose labels differ are items each, in one group.
        relevance: what is a match in retrieval: an item's own texts, those of its group, or those of all items that
            share a label. By default ``item``; ``group`` where items show the same picture.
        text_lines: of WebDataset shards: each line of a text is a caption (as CLIP_benchmark has it), or the text is
            one.
        streaming: read rows as they come instead of keeping a copy in the library's cache.
        limit: the first so many rows of each split.
        resize: longest side of stored images in pixels; larger ones are scaled down.
        seed: of the splits made by rule.
        skip_bad: leave bad rows out, and count them, instead of stopping.

    Raises: ConfigError for a column or split that does not exist; DataError when the source cannot be loaded, or lists
    every bad row: missing or corrupt image or sound, empty text, no label, id twice.

    Example:
        >>> hub(Path("out.h5"), lambda done, total: None, source="nlphuji/flickr30k")  # doctest: +SKIP
    """
    from datasets import disable_progress_bars

    disable_progress_bars()
    # It prints what it then raises, which is told once, in one line.
    logging.getLogger("datasets.packaged_modules").setLevel(logging.CRITICAL)
    if splits is not None and split_column:
        raise ConfigError("give --splits or --split-column, not both.", path=("split_column",))
    source_tables = open_tables(source, config, revision, streaming=streaming)
    every = source_tables.splits
    chosen = split_map(list(every), splits if not split_column else ",".join(f"{n}=rest" for n in every), source)
    tables = {theirs: every[theirs] if limit is None else every[theirs].take(limit) for theirs in chosen}
    first = tables[next(iter(chosen))]
    features = first.features or load(lambda: first._resolve_features().features, source)
    if not features:
        raise DataError(f"'{source}' does not say what columns it has.")
    cells = Cells.of(missing_values)
    by_column = split_column if splits is None else ""
    split, notes = load(lambda: column_of_splits(by_column, tables, features, source, cells), source)
    requested = {"image": image_column, "text": text_column, "label": label_column}
    requested |= {"audio": audio_column, "id": id_column, "group": group_column}
    slices = text_columns(slice_column, features) if slice_column else []
    for column in slices:
        check_column(features, column, "slice", source)
    columns = find_columns(features, requested, source, [split] if split else [])
    same_features(tables, columns, source)
    labels = load(lambda: _labels(source_tables, tables, columns, cells), source)
    notes += [*columns.notes, *(labels.notes if labels is not None else ())]

    def attempt(same: Same) -> None:
        reader = HubReader(source_tables, columns, features, cells, labels, split, lines, slices)
        provenance: dict[str, Any] = {
            "builder": "hub",
            "source": Path(source).name if Path(source).exists() else source,
            "config": config,
            "revision": revision,
            "resolved_revision": source_tables.revision,
            "form": source_tables.form,
            "columns": {
                **columns.names,
                **columns_entry("text", columns.texts),
                **({"split": split} if split else {}),
                **columns_entry("slice", slices),
            },
            "splits": dict(chosen),
            "limit": limit,
            "table_fingerprint": {k: getattr(t, "_fingerprint", None) for k, t in every.items() if k in chosen},
            "resize": resize,
            "notes": [],
        }
        writer = writer_of_rows(out, provenance, labels, name=name, title=title, relevance=relevance, seed=seed)
        with Build(
            Path(),
            writer,
            progress,
            source,
            skip_bad=skip_bad,
            resize=resize,
            group_pixels=True,
            same=same,
            group_column=columns.names.get("group"),
        ) as build:
            build.notes += notes
            for theirs, ours in chosen.items():
                table = undecoded(tables[theirs], columns)
                rows = reader.drafts(table, theirs, ours)
                load(partial(build.add, rows, getattr(table, "num_rows", None)), source)
            build.notes += reader.notes()

    lines = source_tables.form == "webdataset" and text_lines == "captions"
    build_rows(attempt, one_item_per, relevance)


def _labels(source: Tables, tables: Mapping[str, Any], columns: Columns, cells: Cells) -> Labels | None:
    """Return how the label column is read, which all of its cells together decide where it has no class names."""
    column = columns.names.get("label")
    if column is None:
        return None
    names = columns.label_names
    if names is None and column == "cls" and source.class_names:
        names = list(source.class_names)
    values = () if names is not None else chain.from_iterable(column_values(t, column, None) for t in tables.values())
    labels = Labels(cells, values, names=names)
    labels.multi |= columns.multi_label
    return labels
