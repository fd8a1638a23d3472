"""A folder of sounds: class folders, or a metadata file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vsebench.core.errors import DataError, Place
from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import Build, Draft, source_folder
from vsebench.data.builders._cells import Cells, Labels
from vsebench.data.builders._columns import check_columns, metadata_file, split_of, table_columns, text_columns
from vsebench.data.builders._columns import split_column as split_column_of
from vsebench.data.builders._rows import columns_entry, writer_of_rows
from vsebench.data.builders._same import OneItemPer, Same, build_rows
from vsebench.data.builders.base import Progress
from vsebench.data.item import Item
from vsebench.data.table import read_table
from vsebench.data.writer import Relevance

HINTS = {"label": "Data without labels: --label-column= (an empty name)."}
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")


@DATASETS.register(
    "audio",
    source="Hugging Face datasets, AudioFolder: class folders, or a folder with metadata.csv or metadata.jsonl",
    layout="CLASS/NAME.wav, or SPLIT/CLASS/NAME.wav, or\n"
    "metadata.csv (or .jsonl) with columns file_name and label; NAME.wav",
)
def audio(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str | None = None,
    title: str | None = None,
    metadata: str | None = None,
    audio_column: str = "file_name",
    label_column: str = "label",
    text_column: str | None = None,
    image_column: str | None = None,
    split_column: str | None = None,
    group_column: str | None = None,
    id_column: str | None = None,
    label_separator: str | None = None,
    missing_values: str | None = None,
    one_item_per: OneItemPer = "file",
    relevance: Relevance | None = None,
    seed: int = 0,
    skip_bad: bool = False,
) -> None:
    """Build a dataset of sounds with labels, and with texts and images where the metadata has them.

    Sounds are stored as the bytes they came in (WAV, FLAC, OGG, MP3, AIFF; any rate, depth and number of channels),
    and turned to mono at the encoder's rate when they are read. Without a metadata file the folder of a sound is its
    class, and ``train``, ``val`` and ``test`` folders above it are splits.

    Args:
        out: the dataset file (wired).
        progress: told of every sound (wired).
        source: the folder.
        name: of the dataset; the name of ``out`` by default.
        title: how boards call it; the name by default.
        metadata: file inside the folder; ``metadata.csv`` or ``metadata.jsonl`` by default, if one is there.
        audio_column: path of the sound, relative to the folder.
        label_column: the class; in a .jsonl file it may be a list (multi-label). An empty name: no labels.
        text_column: a transcript or caption, or several columns separated by commas; none by default.
        image_column: path of an image that belongs to the sound; none by default.
        split_column: train, val or test; by default ``split`` where the file has it, else the only column whose values
            are all such names, else 80/10/10 by rule. Without any ``val`` a tenth of train becomes it. An empty name:
            splits by rule.
        group_column: items that belong together, such as a speaker's, in splits made by rule.
        id_column: unique name of the item; the sound's path by default.
        label_separator: splits a cell into several labels (multi-label).
        missing_values: texts that stand for no value beside an empty cell, separated by commas, in place of nan, null,
            n/a and <na> in any case, None and NA.
        one_item_per: ``file``: rows of one sound are one item with several texts; ``row``: each row is an item.
        relevance: what is a match in retrieval: an item's own texts, those of its group, or those of all items that
            share a label. By default ``item``; ``group`` where items have the same sound or picture.
        seed: of the splits made by rule.
        skip_bad: leave bad sounds out, and count them, instead of stopping.

    Raises: DataError that lists every fault by row: missing or corrupt sound, one without samples, empty label, id
    twice; a column that does not exist; a folder without sounds.

    Example:
        >>> audio(Path("out.h5"), lambda done, total: None, source="recordings")  # doctest: +SKIP
    """
    root = source_folder(source)
    cells = Cells.of(missing_values)
    wanted = {"audio": audio_column, "label": label_column}
    given = {"image": image_column, "split": split_column, "group": group_column, "id": id_column}
    wanted = {what: column for what, column in {**wanted, **given}.items() if column}
    texts: list[str] = []
    file = metadata_file(root, metadata, needed=False)
    table = None
    notes: list[str] = []
    if file is None:
        rows = list(_from_folders(root))
        wanted |= {"split": "split"} if rows and "split" in rows[0][1] and split_column is None else {}
    else:
        table = read_table(file)
        texts = [] if text_column is None else text_columns(text_column, table.columns)
        for text in texts or [audio_column]:
            check_columns(table, {**wanted, "text" if texts else "audio": text}, HINTS)
        taken = {*wanted.values(), *texts} - {split_column}
        split, notes = split_column_of(split_column, table_columns(table), taken, str(file), cells)
        wanted |= {"split": split} if split is not None else {}
        rows = [(f"row {row.number}", row.cells) for row in table.rows]
    if not rows:
        raise DataError(f"no sounds ({', '.join(SUFFIXES)}) in class folders, and no metadata.", place=Place(source))
    labels = None
    if label_column:
        labels = Labels(cells, (row.get(label_column) for _, row in rows), label_separator)
        notes += labels.notes

    def attempt(same: Same) -> None:
        provenance: dict[str, Any] = {
            "builder": "audio",
            "columns": {**wanted, **columns_entry("text", texts)},
            "notes": [],
        }
        writer = writer_of_rows(out, provenance, labels, name=name, title=title, relevance=relevance, seed=seed)
        place = str(file or root)
        with Build(root, writer, progress, place, skip_bad=skip_bad, same=same, group_column=group_column) as build:
            if table is not None:
                build.read(table)
            build.notes += notes
            each_row = same.one_item_per == "row" or bool(same.apart)
            build.add(_drafts(rows, wanted, texts, cells, labels, each_row=each_row), len(rows))

    build_rows(attempt, one_item_per, relevance)


def _drafts(
    rows: Sequence[tuple[str, Mapping[str, Any]]],
    wanted: Mapping[str, str],
    texts: Sequence[str],
    cells: Cells,
    labels: Labels | None,
    *,
    each_row: bool,
) -> Iterator[Draft]:
    seen: set[str] = set()
    for where, row in rows:
        problems: list[str] = []

        def text(what: str, row: Mapping[str, Any] = row, problems: list[str] = problems) -> str:
            return cells.text(row.get(wanted[what]), what, problems) if what in wanted else ""

        path = text("audio")
        one = text("id") if "id" in wanted else path
        if each_row and "id" not in wanted and one in seen:
            one = f"{path}#{where.rpartition(' ')[2]}"
        seen.add(one)
        if not one:
            problems.append("empty id")
        if not path:
            problems.append("empty audio path")
        label = None if labels is None else labels.read(row.get(wanted["label"]), problems)
        split = split_of(row.get(wanted["split"]), problems, cells) if "split" in wanted else None
        message = cells.texts([row.get(column) for column in texts], problems) if texts else ()
        item = Item(one, None, message, label, split=split, group=text("group") or None)
        image = text("image") if "image" in wanted else None
        yield Draft(f"{where} (id '{one}')", item, image=image, audio=path or None, problems=tuple(problems))


def _from_folders(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of ``CLASS/NAME`` or ``SPLIT/CLASS/NAME`` files, in the order of their names."""
    for file in sorted(root.rglob("*")):
        if file.suffix.lower() not in SUFFIXES or not file.is_file():
            continue
        parts = file.relative_to(root).parts
        cells = {"file_name": "/".join(parts), "label": parts[-2] if len(parts) > 1 else ""}
        if len(parts) > 2:
            cells["split"] = parts[-3]
        yield f"file '{cells['file_name']}'", cells
