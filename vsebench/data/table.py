"""CSV and JSON-lines files as rows of cells, with the faults of each row."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vsebench.data.files import check_regular, reason
from vsebench.errors import DataError, Place

LONGEST_CELL = 1 << 24  # characters; the csv module's own limit of 128 KiB is less than some JSON cells


@dataclass(frozen=True)
class Row:
    """A row: the line where it begins, and column -> cell."""

    number: int
    cells: dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A file's rows, and what is wrong with those that could not be read.

    Args:
        file: the file.
        columns: names, as they are written.
        rows: those that could be read.
        problems: a line for each that could not.
        notes: what a reader should know of how the file was read.
        lost: further lines that rows with an unbalanced quote have taken.
        cut: a quote that is never closed has taken the rest of the file.
    """

    file: Path
    columns: list[str]
    rows: list[Row]
    problems: list[str]
    notes: list[str] = field(default_factory=list)
    lost: int = 0
    cut: bool = False


def read_table(file: Path, *, surplus: str | None = None) -> Table:
    """Read a .csv or .jsonl file.

    Args:
        file: the file.
        surplus: the last column of a .csv file whose commas are not quoted: surplus cells are joined to it.

    Raises: DataError when it is missing, not UTF-8, empty, of another kind, or repeats a column.
    """
    try:
        check_regular(file)
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError("no such file.", place=Place(str(file))) from None
    except OSError as error:
        raise DataError(f"cannot be read ({reason(error)}).", place=Place(str(file))) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"not UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8.", place=Place(str(file), line)
        ) from None
    if file.suffix == ".csv":
        table = _read_csv(file, text, surplus)
    elif file.suffix == ".jsonl":
        table = _read_jsonl(file, text)
    else:
        raise DataError("metadata must be a .csv or .jsonl file.", place=Place(str(file)))
    if not table.rows and not table.problems:
        raise DataError("has no rows.", place=Place(str(file)))
    return table


def _read_csv(file: Path, text: str, surplus: str | None) -> Table:
    csv.field_size_limit(LONGEST_CELL)
    # Not text.splitlines(): that also cuts at U+2028, form feeds and other characters that may stand in a title.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = next(reader)
    except StopIteration:
        raise DataError("is empty; the first line must name the columns.", place=Place(str(file), 1)) from None
    except csv.Error as error:
        raise DataError(f"not readable as CSV: {error}.", place=Place(str(file), 1)) from None
    if not columns:
        raise DataError("is empty; the first line must name the columns.", place=Place(str(file), 1))
    twice = sorted({c for c in columns if columns.count(c) > 1})
    if twice:
        raise DataError(f"column '{twice[0]}' stands twice.", place=Place(str(file), 1))
    rows, problems = [], []
    while True:
        begin = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:  # the reader goes on with the next line
            problems.append(f"row {begin}: not readable as CSV ({error})")
            continue
        if surplus == columns[-1] and len(cells) > len(columns):
            cells = [*cells[: len(columns) - 1], ",".join(cells[len(columns) - 1 :])]
        if len(cells) == len(columns):
            rows.append(Row(begin, dict(zip(columns, cells, strict=True))))
        elif cells:
            problems.append(f"row {begin}: {len(cells)} cells, but the header has {len(columns)} columns")
    return Table(file, columns, rows, problems)


def _read_jsonl(file: Path, text: str) -> Table:
    rows, problems = [], []
    columns: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except (ValueError, RecursionError) as error:
            problems.append(f"row {number}: not JSON ({error})")
            continue
        if not isinstance(cells, dict):
            problems.append(f"row {number}: not a JSON object")
            continue
        if not _is_text(cells):
            problems.append(f"row {number}: half of a surrogate pair (\\ud800 to \\udfff) is not a character")
            continue
        rows.append(Row(number, cells))
        columns |= dict.fromkeys(cells)
    return Table(file, list(columns), rows, problems)


def _is_text(cells: dict[str, Any]) -> bool:
    try:
        json.dumps(cells, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
