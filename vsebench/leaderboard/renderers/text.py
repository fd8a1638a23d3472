"""A table as LaTeX, as CSV, as a data frame, and for a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vsebench.leaderboard.page import NONE, Cell, Column, Table, unmarked
from vsebench.leaderboard.table import csv_cell, width

if TYPE_CHECKING:
    import pandas as pd

_LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}"}
_LATEX |= {"^": r"\textasciicircum{}", "±": r"$\pm$", "−": r"$-$", "–": "--", "→": r"$\rightarrow$", "·": r"$\cdot$"}


def _shown(table: Table) -> Table:
    return table.part([column for column in table.columns if column.first])


def terminal(table: Table) -> str:
    """Return the first columns of a table as aligned text, the rows of the leading group marked by a star."""
    table = _shown(table)
    cells = [[unmarked(cell.text) for cell in line.cells] for line in table.lines]
    rows = [[unmarked(column.title) for column in table.columns], *cells]
    widths = [max(width(row[i]) for row in rows) for i in range(len(table.columns))]
    marks = [" ", *("*" if line.leading else " " for line in table.lines)]
    lines = []
    for mark, row in zip(marks, rows, strict=True):
        padded = [
            text + " " * (w - width(text)) if column.group == "name" else " " * (w - width(text)) + text
            for text, w, column in zip(row, widths, table.columns, strict=True)
        ]
        lines.append(f"{mark} {'  '.join(padded)}".rstrip())
    return "\n".join(lines) + "\n"


def latex(table: Table) -> str:
    """Return the first columns of a table as a ``tabular``, the leading group bold."""
    table = _shown(table)
    form = "".join("l" if column.group == "name" else "r" for column in table.columns)
    lines = [rf"\begin{{tabular}}{{{form}}}", r"\hline"]
    lines += [" & ".join(_latex(column.title) for column in table.columns) + r" \\", r"\hline"]
    for line in table.lines:
        bold = [line.leading and column.strong for column in table.columns]
        texts = [_latex(cell.text) for cell in line.cells]
        lines.append(" & ".join(rf"\textbf{{{t}}}" if b else t for t, b in zip(texts, bold, strict=True)) + r" \\")
    return "\n".join([*lines, r"\hline", r"\end{tabular}"]) + "\n"


def table_csv(table: Table) -> str:
    """Return all columns of a table, numbers as numbers under their names in the results; of an interval its ends."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([name for column in table.columns for name in _names(column)])
    for line in table.lines:
        cells = zip(line.cells, table.columns, strict=True)
        writer.writerow([value for cell, column in cells for value in _plain(cell, column)])
    return stream.getvalue()


def frame(tables: Sequence[Table]) -> pd.DataFrame:
    """Return all columns of some tables as a data frame, under the names of :func:`table_csv`; ``table`` is whose row
    it is, and what a row lacks is missing.
    """
    import pandas as pd

    rows = []
    for table in tables:
        for line in table.lines:
            row: dict[str, str | float | None] = {"table": unmarked(table.title)}
            for cell, column in zip(line.cells, table.columns, strict=True):
                values = (None if value == "" else value for value in _plain(cell, column))
                row |= dict(zip(_names(column), values, strict=True))
            rows.append(row)
    return pd.DataFrame(rows)


def _names(column: Column) -> list[str]:
    return [csv_cell(name) for name in column.names or [unmarked(column.title)]]


def _plain(cell: Cell, column: Column) -> Sequence[str | float]:
    ends: Sequence[str | float] = cell.ends or ("", "") if column.ends else ()
    if column.ends and not column.key:
        return ends
    if isinstance(cell.value, float | int):
        return [cell.value, *ends]
    return ["" if cell.text == NONE else csv_cell(unmarked(cell.text)), *ends]


def _latex(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in unmarked(text))
