"""What cells of a metadata file mean, whatever the builder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vsebench.data.item import SPLITS
from vsebench.data.table import Table
from vsebench.errors import DataError, Place, did_you_mean, known_names

SPLIT_NAMES = {
    **{name: name for name in SPLITS},
    "training": "train",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "testing": "test",
}


def metadata_file(root: Path, metadata: str | None, *, needed: bool = True) -> Path | None:
    """The metadata file of a folder: the one that is named, or the only one of the usual names.

    Raises: DataError when both usual names are there, or ``needed`` and none.
    """
    if metadata is not None:
        return root / metadata
    found = [root / f"metadata.{suffix}" for suffix in ("csv", "jsonl") if (root / f"metadata.{suffix}").is_file()]
    if len(found) == 1:
        return found[0]
    if not found and not needed:
        return None
    problem = (
        "both metadata.csv and metadata.jsonl are there; say which with --metadata"
        if found
        else "neither metadata.csv nor metadata.jsonl is there"
    )
    raise DataError(f"{problem}.", place=Place(str(root)))


def check_columns(table: Table, wanted: Mapping[str, str]) -> None:
    """Raises: DataError that names every column that is not there, with the nearest name."""
    faults = [
        f"no column '{column}' for the {what} (--{what}-column)." + did_you_mean(column, table.columns)
        for what, column in wanted.items()
        if column not in table.columns
    ]
    if faults:
        raise DataError(" ".join(faults) + known_names(table.columns, "Columns"), place=Place(str(table.file)))


def text_of(value: Any) -> str:
    """A cell as text without white space around it; an empty text for no cell."""
    return "" if value is None else str(value).strip()


def label_of(value: Any, separator: str | None) -> str | tuple[str, ...]:
    """A cell as a label, or as several where it is a list or has a separator."""
    if isinstance(value, list):
        return tuple(text_of(v) for v in value)
    if separator is not None:
        return tuple(part.strip() for part in text_of(value).split(separator) if part.strip())
    return text_of(value)


def split_of(value: Any, problems: list[str]) -> str | None:
    """A cell as the name of a split; None, and a problem more, where it is none."""
    said = text_of(value).lower()
    if said not in SPLIT_NAMES:
        fault = f"unknown split '{said}'." if said else "empty split."
        problems.append(fault + did_you_mean(said, SPLIT_NAMES) + known_names(SPLITS))
        return None
    return SPLIT_NAMES[said]
