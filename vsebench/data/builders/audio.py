"""A folder of sounds: class folders, or a metadata file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vsebench.data.builders._build import Build, Draft, source_folder
from vsebench.data.builders._columns import check_columns, label_of, metadata_file, split_of, text_of
from vsebench.data.builders.base import Progress
from vsebench.data.item import Item
from vsebench.data.table import read_table
from vsebench.data.writer import DatasetWriter
from vsebench.errors import DataError, Place
from vsebench.registry import DATASETS

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
        label_column: the class; in a .jsonl file it may be a list (multi-label).
        text_column: a transcript or caption; none by default.
        image_column: path of an image that belongs to the sound; none by default.
        split_column: train, val or test; by default ``split`` where the file has it, else 80/10/10 by rule.
        group_column: items that belong together, such as a speaker's, in splits made by rule.
        id_column: unique name of the item; the sound's path by default.
        label_separator: splits a cell into several labels (multi-label).
        seed: of the splits made by rule.
        skip_bad: leave bad sounds out, and count them, instead of stopping.

    Raises: DataError that lists every fault by row: missing or corrupt sound, one without samples, empty label, id
    twice; a column that does not exist; a folder without sounds.

    Example:
        >>> audio(Path("out.h5"), lambda done, total: None, source="recordings")  # doctest: +SKIP
    """
    root = source_folder(source)
    wanted = {"audio": audio_column, "label": label_column}
    given = {"text": text_column, "image": image_column, "split": split_column, "group": group_column, "id": id_column}
    wanted |= {what: column for what, column in given.items() if column is not None}
    file = metadata_file(root, metadata, needed=False)
    multi = label_separator is not None
    problems: list[str] = []
    if file is None:
        rows = list(_from_folders(root))
        wanted |= {"split": "split"} if rows and "split" in rows[0][1] else {}
    else:
        table = read_table(file)
        check_columns(table, wanted)
        if "split" in table.columns:
            wanted.setdefault("split", "split")
        multi = multi or any(isinstance(row.cells.get(label_column), list) for row in table.rows)
        rows = [(f"row {row.number}", row.cells) for row in table.rows]
        problems = table.problems
    if not rows:
        raise DataError(f"no sounds ({', '.join(SUFFIXES)}) in class folders, and no metadata.", place=Place(source))
    provenance: dict[str, Any] = {"builder": "audio", "columns": wanted, "notes": []}
    writer = DatasetWriter(
        out, name=name or out.stem, title=title or name or out.stem, multi_label=multi, provenance=provenance, seed=seed
    )
    with Build(root, writer, progress, str(file or root), skip_bad=skip_bad) as build:
        build.faults += problems
        build.bad_items += len(problems)
        build.add(_drafts(rows, wanted, label_separator), len(rows))


def _drafts(
    rows: Sequence[tuple[str, Mapping[str, Any]]], wanted: Mapping[str, str], separator: str | None
) -> Iterator[Draft]:
    seen: dict[str, str] = {}
    for where, cells in rows:

        def cell(what: str, cells: Mapping[str, Any] = cells) -> Any:
            return cells.get(wanted[what]) if what in wanted else None

        path = text_of(cell("audio"))
        one = text_of(cell("id")) if "id" in wanted else path
        problems = [] if one else ["empty id"]
        if one in seen:
            problems.append(f"the id stands in {seen[one]} already")
        seen.setdefault(one, where)
        if not path:
            problems.append("empty audio path")
        label = label_of(cell("label"), separator)
        if not label or (isinstance(label, tuple) and not all(label)):
            problems.append("empty label")
        split = split_of(cell("split"), problems) if "split" in wanted else None
        texts = (text_of(cell("text")),) if "text" in wanted else ()
        item = Item(one, None, texts, label, split=split, group=text_of(cell("group")) or None)
        image = text_of(cell("image")) if "image" in wanted else None
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
