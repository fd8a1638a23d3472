"""CSV and JSON-lines files as rows of cells, with the faults of each row."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsebench.errors import DataError, Place

csv.field_size_limit(1 << 24)


@dataclass(frozen=True)
class Row:
    """A row: the line where it begins, and column -> cell."""

    number: int
    cells: dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A file's rows, and what is wrong with those that could not be read."""

    file: Path
    columns: list[str]
    rows: list[Row]
    problems: list[str]


def read_table(file: Path) -> Table:
    """Read a .csv or .jsonl file.

    Raises: DataError when it is missing, not UTF-8, empty, of another kind, or repeats a column.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError("no such file.", place=Place(str(file))) from None
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 text ({error.reason} at byte {error.start}).", place=Place(str(file))) from None
    if file.suffix == ".csv":
        table = _read_csv(file, text)
    elif file.suffix == ".jsonl":
        table = _read_jsonl(file, text)
    else:
        raise DataError("metadata must be a .csv or .jsonl file.", place=Place(str(file)))
    if not table.rows and not table.problems:
        raise DataError("has no rows.", place=Place(str(file)))
    return table


def _read_csv(file: Path, text: str) -> Table:
    reader = csv.reader(text.splitlines(keepends=True))
    try:
        columns = next(reader)
    except StopIteration:
        raise DataError("is empty; the first line must name the columns.", place=Place(str(file), 1)) from None
    twice = sorted({c for c in columns if columns.count(c) > 1})
    if twice:
        raise DataError(f"column '{twice[0]}' stands twice.", place=Place(str(file), 1))
    rows, problems = [], []
    begin = reader.line_num + 1
    try:
        for cells in reader:
            if len(cells) == len(columns):
                rows.append(Row(begin, dict(zip(columns, cells, strict=True))))
            elif cells:
                problems.append(f"row {begin}: {len(cells)} cells, but the header has {len(columns)} columns")
            begin = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"not readable as CSV: {error}.", place=Place(str(file), reader.line_num)) from None
    return Table(file, columns, rows, problems)


def _read_jsonl(file: Path, text: str) -> Table:
    rows, problems = [], []
    columns: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except ValueError as error:
            problems.append(f"row {number}: not JSON ({error})")
            continue
        if not isinstance(cells, dict):
            problems.append(f"row {number}: not a JSON object")
            continue
        rows.append(Row(number, cells))
        columns |= dict.fromkeys(cells)
    return Table(file, list(columns), rows, problems)
