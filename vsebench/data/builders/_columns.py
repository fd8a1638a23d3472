"""Which column of a metadata file is what, whatever the builder."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vsebench.core.errors import DataError, Place, did_you_mean, known_names
from vsebench.data.builders._cells import Cells
from vsebench.data.files import check_links, reason
from vsebench.data.item import SPLITS
from vsebench.data.table import Table

SPLIT_NAMES = {
    **{name: name for name in SPLITS},
    "training": "train",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "testing": "test",
}
#: What columns of splits are often called, without white space, "_" and "-".
SPLIT_COLUMNS = ("split", "splits", "set", "partition", "fold", "subset", "datasplit", "datasetsplit")
#: Captions in columns that are numbered: caption_0, caption_1, …
NUMBERED = re.compile(r"(captions?|texts?|sentences?|titles?|descriptions?|comments?|raw)[ _-]?(\d+)", re.IGNORECASE)
MOST_NAMES = 20  # distinct values of a column that are looked at: more are no names of splits


def metadata_file(root: Path, metadata: str | None, *, needed: bool = True) -> Path | None:
    """Return the metadata file of a folder: the one that is named, or the only one of the usual names.

    Raises: DataError when both usual names are there, or ``needed`` and none.
    """
    if metadata is not None:
        return root / metadata
    results = [root / f"metadata.{suffix}" for suffix in ("csv", "jsonl") if (root / f"metadata.{suffix}").exists()]
    for file in results:
        try:
            check_links(root, file)
        except OSError as error:
            raise DataError(f"cannot be read ({reason(error)}).", place=Place(str(file))) from None
    if len(results) == 1:
        return results[0]
    if not results and not needed:
        return None
    problem = (
        "both metadata.csv and metadata.jsonl are there; say which with --metadata"
        if results
        else "neither metadata.csv nor metadata.jsonl is there"
    )
    raise DataError(f"{problem}.", place=Place(str(root)))


def check_columns(table: Table, wanted: Mapping[str, str], hints: Mapping[str, str] | None = None) -> None:
    """Check that all columns exist.

    Raises: DataError that names every column that is not there, with the nearest name.

    Args:
        table: the file.
        wanted: what -> column.
        hints: what -> what else can be done where its column is missing.
    """
    missing = {what: column for what, column in wanted.items() if column not in table.columns}
    faults = [
        f"no column '{column}' for the {what} (--{what}-column)." + did_you_mean(column, table.columns)
        for what, column in missing.items()
    ]
    if faults:
        more = "".join(f" {hint}" for what, hint in (hints or {}).items() if what in missing)
        raise DataError(" ".join(faults) + known_names(table.columns, "Columns") + more, place=Place(str(table.file)))


def text_columns(requested: str, columns: Collection[str]) -> list[str]:
    """Return the columns of captions that an option names: one, or several separated by commas.

    Example:
        >>> text_columns("a,b", ["a", "b", "c"]), text_columns("a,b", ["a,b"])
        (['a', 'b'], ['a,b'])
    """
    if requested in columns or "," not in requested:
        return [requested]
    return [name.strip() for name in requested.split(",")]


def numbered_texts(columns: Iterable[str]) -> list[str]:
    """Columns of captions that are numbered, in the order of their numbers; empty where there are not two of one name.

    Example:
        >>> numbered_texts(["id", "caption_1", "caption_0"])
        ['caption_0', 'caption_1']
    """
    groups: dict[str, list[tuple[int, str]]] = {}
    for column in columns:
        match = NUMBERED.fullmatch(column.strip())
        if match is not None:
            groups.setdefault(match[1].lower(), []).append((int(match[2]), column))
    several = [group for group in groups.values() if len(group) > 1]
    return [column for _, column in sorted(several[0])] if len(several) == 1 else []


def split_column(
    requested: str | None, columns: Mapping[str, Iterable[Any]], taken: Collection[str], place: str, cells: Cells
) -> tuple[str | None, list[str]]:
    """Return the column of the splits, and notes on the choice.

    The one that is asked for (an empty name: none); else ``split``; else the only one whose values are all names of
    splits.

    Args:
        requested: the option.
        columns: column -> its values, for every column that may hold splits.
        taken: columns that are something else already.
        place: the file, for messages.
        cells: how cells are read.

    Raises: DataError where a column that is called like splits holds other values beside them, or where several
    columns could be it.
    """
    if requested is not None:
        return requested or None, []
    if "split" in columns:
        return "split", []
    way_out = "Name the right one with --split-column, or give --split-column= for splits by rule."
    # A column of split names is used without being asked for only where it can be nothing else: a wrong guess would mix
    # training and test items silently.
    likely, notes = [], []
    for column, values in columns.items():
        if column in taken:
            continue
        names = _names(values, cells)
        called = re.sub(r"[\s_-]+", "", column.lower()) in SPLIT_COLUMNS
        known = names & SPLIT_NAMES.keys()
        if known and known == names and (called or len(names) > 1):
            likely.append(column)
        elif known and called:
            other = sorted(names - known)[0]
            raise DataError(
                f"column '{column}' looks like the splits, but holds '{other}' beside '{sorted(known)[0]}'. {way_out}",
                place=Place(place),
            )
        elif called and names:
            shown = ", ".join(sorted(names)[:5])
            notes.append(f"column '{column}' ({shown}) is not used for splits; --split-column names the one that is")
    if len(likely) > 1:
        listed = "', '".join(likely)
        raise DataError(f"columns '{listed}' all hold names of splits. {way_out}", place=Place(place))
    if likely:
        return likely[0], [f"the splits are those of column '{likely[0]}' (--split-column= makes them by rule)"]
    return None, notes


def _names(values: Iterable[Any], cells: Cells) -> set[str]:
    names: set[str] = set()
    for value in values:
        if not cells.missing(value):
            names.add(str(value).strip().lower())
        if len(names) > MOST_NAMES:
            break
    return names


def table_columns(table: Table) -> dict[str, Iterable[Any]]:
    """Column -> its values, of a file that was read."""
    return {column: [row.cells.get(column) for row in table.rows] for column in table.columns}


def split_of(value: Any, problems: list[str], cells: Cells) -> str | None:
    """Read a cell as the name of a split; None, and a problem more, where it is none."""
    name = cells.text(value, "split", []).lower()
    if name not in SPLIT_NAMES:
        fault = f"unknown split '{name}'." if name else "empty split."
        problems.append(fault + did_you_mean(name, SPLIT_NAMES) + known_names(SPLITS))
        return None
    return SPLIT_NAMES[name]


def in_split_folders(paths: Sequence[str]) -> bool:
    """Return whether every path begins with the name of a split, of at least two.

    Example:
        >>> in_split_folders(["train/1.png", "test/2.png"]), in_split_folders(["train/1.png", "train/2.png"])
        (True, False)
    """
    first = {path.replace("\\", "/").partition("/")[0].lower() if "/" in path else "" for path in paths}
    return len(first) > 1 and first <= SPLIT_NAMES.keys()
