"""CSV and JSON-lines files as rows of cells, with the faults of each row."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from vsebench.core.errors import DataError, Place
from vsebench.data.files import check_regular, reason

#: What may stand between cells, the usual one first.
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
LOOKED_AT = 100  # rows from which the separator is told
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
LONGEST_CELL = 1 << 24  # characters; the csv module's own limit of 128 KiB is less than some JSON cells


@dataclass(frozen=True)
class Row:
    """A row: the line where it begins, and column -> cell."""

    number: int
    cells: dict[str, Any]


@dataclass
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
    """Read a .csv (or .tsv) or .jsonl file.

    Cells are separated by commas, or by semicolons, tabs or bars where these divide more rows as they do the header: a
    note says so.

    Args:
        file: the file.
        surplus: the last column of a .csv file whose commas are not quoted: surplus cells are joined to it.

    Raises: DataError when it is missing, no regular file, not UTF-8, empty, of another kind, or repeats a column.
    """
    try:
        check_regular(file)
        data = file.read_bytes()
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError("no such file.", place=Place(str(file))) from None
    except OSError as error:
        raise DataError(f"cannot be read ({reason(error)}).", place=Place(str(file))) from None
    except UnicodeDecodeError as error:
        # Spreadsheets save UTF-16 under the name "Unicode text", and its bytes say nothing as errors of UTF-8.
        if data[:2] in UTF_16 or b"\0" in data.partition(b"\n")[0]:
            raise DataError("is UTF-16 text. Save it as UTF-8.", place=Place(str(file))) from None
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"not UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8.", place=Place(str(file), line)
        ) from None
    if "\0" in text.partition("\n")[0]:
        raise DataError("holds NUL characters: is it UTF-16 text? Save it as UTF-8.", place=Place(str(file), 1))
    if file.suffix in (".csv", ".tsv"):
        table = _read_csv(file, text, surplus)
    elif file.suffix == ".jsonl":
        table = _read_jsonl(file, text)
    else:
        raise DataError("metadata must be a .csv or .jsonl file.", place=Place(str(file)))
    if not table.rows and not table.problems:
        raise DataError("has no rows.", place=Place(str(file)))
    if "\ufffd" in text:
        table.notes.append("holds the replacement character U+FFFD: letters were lost when it was saved before")
    return table


def _read_csv(file: Path, text: str, surplus: str | None) -> Table:
    csv.field_size_limit(LONGEST_CELL)
    separator = "," if surplus is not None else _separator(text)
    # Not text.splitlines(): that also cuts at U+2028, form feeds and other characters that may stand in a title.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    try:
        columns = next(reader)
    except StopIteration:
        raise DataError("is empty; the first line must name the columns.", place=Place(str(file), 1)) from None
    except csv.Error as error:
        raise DataError(f"not readable as CSV: {error}.", place=Place(str(file), 1)) from None
    if not any(column.strip() for column in columns):
        raise DataError("is empty; the first line must name the columns.", place=Place(str(file), 1))
    twice = sorted({c for c in columns if c and columns.count(c) > 1})
    if twice:
        raise DataError(f"column '{twice[0]}' stands twice.", place=Place(str(file), 1))
    table = Table(file, columns, [], [])
    if separator != ",":
        table.notes.append(f"the cells are separated by {SEPARATORS[separator]}")
    broken = 0
    while True:
        begin = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:  # the reader goes on with the next line
            _unreadable(table, begin, reader.line_num, str(error))
            continue
        # Commas that the file did not quote split its last column: the pieces are put together again.
        if surplus == columns[-1] and len(cells) > len(columns):
            cells = [*cells[: len(columns) - 1], ",".join(cells[len(columns) - 1 :])]
        if len(cells) == len(columns):
            table.rows.append(Row(begin, dict(zip(columns, cells, strict=True))))
            broken += any("\n" in cell and separator in cell for cell in cells)
        elif cells:
            table.problems.append(f"row {begin}: {len(cells)} cells, but the header has {len(columns)} columns")
            table.lost += reader.line_num - begin
    if broken:
        table.notes.append(
            f"{broken} rows have a cell with a line break and {SEPARATORS[separator]}: a quote that is not closed looks"
            " so"
        )
    return table


def _unreadable(table: Table, begin: int, end: int, error: str) -> None:
    """Remember a row that could not be read, and the further lines that it took."""
    more = f"; it takes {end - begin} more lines" if end > begin else ""
    table.problems.append(f"row {begin}: not readable as CSV ({error}){more}")
    table.lost += end - begin
    if error == "unexpected end of data":
        table.cut = True


def _separator(text: str) -> str:
    """Return the character that divides most of the first rows into as many cells as the header, at least two.

    Example:
        >>> _separator("a;b\\n1;2,3\\n"), _separator("a,b\\n1,2;3\\n"), _separator("a\\n1;2\\n")
        (';', ',', ',')
    """
    best, most = ",", 0
    for separator in SEPARATORS:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        try:
            rows = [row for row in islice(reader, LOOKED_AT) if row]
        except csv.Error:
            continue
        width = len(rows[0]) if rows else 0
        fitting = sum(len(row) == width for row in rows) if width > 1 else 0
        if fitting > most:
            best, most = separator, fitting
    return best


def _read_jsonl(file: Path, text: str) -> Table:
    rows, problems = [], []
    columns: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line, object_pairs_hook=distinct)
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


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Parse a JSON object and refuse repeated names: the last one would silently win.

    Raises: ValueError with the name.
    """
    cells = dict(pairs)
    if len(cells) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the name '{next(n for n in names if names.count(n) > 1)}' stands twice")
    return cells


def _is_text(cells: dict[str, Any]) -> bool:
    try:
        json.dumps(cells, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True
