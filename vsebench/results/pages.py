"""Check a board's pages: what they say is what its results give, and where not, which cell."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from vsebench.leaderboard.render import render, stale
from vsebench.results.leaves import ABSENT
from vsebench.results.verify import Difference


def check_pages(board: Path, experiments: Sequence[str]) -> list[Difference]:
    """Render the pages of some boards again, beside the folder, and name what differs.

    Raises: DataError as :func:`~vsebench.leaderboard.render.render`.
    """
    wrong = stale(board, experiments)
    if not wrong:
        return []
    results: list[Difference] = []
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder) / "board"
        shutil.copytree(board, again)
        for file in wrong:
            (again / file.relative_to(board)).unlink(missing_ok=True)
        render(again, experiments)
        for file in wrong:
            results += _differences(file, again / file.relative_to(board))
    return results


def _differences(file: Path, again: Path) -> list[Difference]:
    if not file.is_file():
        return [Difference(str(file), "", "", "page", "missing", "a page")]
    try:
        stored, made = (one.read_text(encoding="utf-8") for one in (file, again))
    except (OSError, UnicodeDecodeError):
        return [_whole(file)]
    result = _cells(file, stored, made) if file.suffix == ".csv" else _lines(file, stored, made)
    return result or [_whole(file)]


def _whole(file: Path) -> Difference:
    return Difference(str(file), "", "", "page", "stale", "what the results give")


def _cells(file: Path, stored: str, again: str) -> list[Difference]:
    """Cell by cell, under the names of columns and rows."""
    a, b = ([*csv.reader(io.StringIO(text))] for text in (stored, again))
    header = b[0] if b else []
    at = {name: header.index(name) for name in ("system", "run_id") if name in header}
    results = []
    for number, (stored_cell, other) in enumerate(zip_longest(a, b, fillvalue=()), start=1):
        named = other or stored_cell
        row, run = (named[at[n]] if n in at and at[n] < len(named) and number > 1 else "" for n in ("system", "run_id"))
        for column, (x, y) in enumerate(zip_longest(stored_cell, other, fillvalue=ABSENT)):
            if x != y:
                what = header[column] if column < len(header) else f"column {column + 1}"
                results.append(Difference(f"{file}:{number}", row, run, what, x, y))
    return results


def _lines(file: Path, stored: str, again: str) -> list[Difference]:
    """Line by line; of tables cell by cell, the first of which names the row."""
    results = []
    for number, (stored_line, other) in enumerate(zip_longest(stored.split("\n"), again.split("\n")), start=1):
        if stored_line == other:
            continue
        place = f"{file}:{number}"
        if stored_line is None or other is None:
            results.append(Difference(place, "", "", "line", stored_line or ABSENT, other or ABSENT))
            break
        cells = [[cell.strip() for cell in line.split("|")] for line in (stored_line, other)]
        if len(cells[0]) == len(cells[1]) > 2:
            row = cells[1][1]
            differing = [(i, x, y) for i, (x, y) in enumerate(zip(*cells, strict=True)) if x != y]
            results += [Difference(place, row, "", f"cell {i}", x, y) for i, x, y in differing]
            if differing:
                continue
        if len(cells[0]) <= 2 or stored_line.split() != other.split():
            results.append(Difference(place, "", "", "line", stored_line, other))
        else:
            results.append(Difference(place, "", "", "spaces of the line", stored_line, other))
    return results
