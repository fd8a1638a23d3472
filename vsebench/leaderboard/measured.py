"""What boards show of measurements: rows with what was measured of them, and the section of each measurement."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vsebench.core.registry import MEASUREMENTS
from vsebench.leaderboard.page import Cell, Column, Section, Table, code, table_of
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.intervals import Estimate, estimate
from vsebench.stats.rows import SECTIONS, RowView, views

Value = Callable[[Mapping[str, Any]], float | None]


@dataclass(frozen=True)
class MeasuredRow:
    """A row of the board and what was measured of each of its runs."""

    view: RowView
    parts: Sequence[Mapping[str, Any]]

    def estimate(self, value: Value) -> Estimate | None:
        """Mean and interval over seeds; None where a run lacks the number."""
        numbers = [number for part in self.parts if (number := value(part)) is not None]
        return estimate(numbers) if len(numbers) == len(self.parts) else None

    @property
    def name(self) -> str:
        """As tables call it."""
        return self.view.row.name


@dataclass(frozen=True)
class BoardColumn:
    """A column of a measurement's table.

    Args:
        title: its head.
        key: where the number stands among the measured values, ``a/b`` for ``{"a": {"b": …}}``.
        percent: whether it is a share, shown times 100.
        digits: behind the point.
        best: whether the largest or the smallest value is the best; None where none is.
    """

    title: str
    key: str
    percent: bool = False
    digits: int = 2
    best: Literal["max", "min"] | None = None

    def value(self, values: Mapping[str, Any]) -> float | None:
        """Return the number; None where there is none."""
        value: Any = values
        for part in self.key.split("/"):
            value = value.get(part) if isinstance(value, Mapping) else None
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return float(value) if number else None


def measured_rows(snapshot: Snapshot, name: str) -> list[MeasuredRow]:
    """Return the rows that a measurement has values of, each section's best on validation first.

    One of every seed needs all of a row's runs.
    """
    every = name not in MEASUREMENTS or MEASUREMENTS.get(name).facts["every_seed"]
    rows = []
    for section in SECTIONS:
        for view in views(snapshot, section):
            parts = [snapshot.measures.get(result.run_id, {}).get(name) for result in view.results]
            known = [part for part in parts if part is not None]
            if known and (len(known) == len(parts) or not every):
                rows.append(MeasuredRow(view, known))
    return rows


def measured_table(snapshot: Snapshot, name: str, columns: Sequence[BoardColumn]) -> list[Table]:
    """Return a table with a column for each number; none where no row has any."""
    rows = measured_rows(snapshot, name)
    names = Column("System", lambda row: Cell(row.name, row.name), "name")
    table = table_of([names, *(_column(column) for column in columns)], rows)
    return [table.part(table.columns)] if len(table.columns) > 1 else []


def _column(column: BoardColumn) -> Column:
    def cell(row: MeasuredRow) -> Cell | None:
        one = row.estimate(column.value)
        return None if one is None else Cell(one.text(percent=column.percent, digits=column.digits), one.mean)

    return Column(column.title, cell, direction=column.best, key=column.key, scale=100.0 if column.percent else 1.0)


def measurement_sections(snapshot: Snapshot) -> list[Section]:
    """Return what each measurement shows on the page, built-in ones first."""
    sections, unknown = [], []
    names = {name for parts in snapshot.measures.values() for name in parts}
    for name in sorted(names, key=lambda name: (MEASUREMENTS.builtin_file(name) is None, name)):
        if name in MEASUREMENTS:
            measurement: Any = MEASUREMENTS.get(name).target
            sections += measurement.sections(snapshot, name)
        else:
            unknown.append(code(name))
    if unknown:
        why = f"the plug-in that registers it was not loaded; name its file with {code('--plugin')}"
        sections.append(Section("Not shown", [f"Measured but not shown ({why}): {', '.join(unknown)}."], folded=False))
    return sections
