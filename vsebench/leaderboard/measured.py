"""What boards show of measurements: rows with what was measured of them, and the section of each measurement."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vsebench.core.registry import MEASUREMENTS
from vsebench.leaderboard.drawing import Drawing
from vsebench.leaderboard.table import code, escape, table
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
        return escape(self.view.row.name)


@dataclass(frozen=True)
class BoardColumn:
    """A column of a measurement's table.

    Args:
        title: its head.
        key: where the number stands among the measured values, ``a/b`` for ``{"a": {"b": …}}``.
        percent: whether it is a share, shown times 100.
        digits: behind the point.
        best: which value is in bold; None where none is better than another.
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


def measured_table(snapshot: Snapshot, name: str, columns: Sequence[BoardColumn]) -> list[str]:
    """Return the lines of a table with a column for each number; none where no row has any."""
    rows = measured_rows(snapshot, name)
    cells = [[row.estimate(column.value) for column in columns] for row in rows]
    if not any(cell is not None for line in cells for cell in line):
        return []
    best = []
    for at, column in enumerate(columns):
        means = [line[at].mean for line in cells if line[at] is not None]  # type: ignore[union-attr]
        pick = {"max": max, "min": min}.get(column.best or "") if len(means) > 1 else None
        best.append(pick(means) if pick is not None else None)
    body = []
    for row, line in zip(rows, cells, strict=True):
        texts = [
            "–" if one is None else one.text(percent=column.percent, digits=column.digits)
            for column, one in zip(columns, line, strict=True)
        ]
        marked = [one is not None and one.mean == top for one, top in zip(line, best, strict=True)]
        body.append([row.name, *(f"**{text}**" if mark else text for text, mark in zip(texts, marked, strict=True))])
    return table(["System", *(escape(column.title) for column in columns)], body)


def measurement_sections(snapshot: Snapshot) -> list[str]:
    """Return what each measurement shows on the page, built-in ones first."""
    lines, unknown = [], []
    for name in _names(snapshot):
        if name in MEASUREMENTS:
            lines += _measurement(name).sections(snapshot, name)
        else:
            unknown.append(code(name))
    if unknown:
        why = "the plug-in that registers it was not loaded; name its file with `--plugin`"
        lines += [f"Measured but not shown ({why}): {', '.join(unknown)}.", ""]
    return lines


def measurement_drawings(snapshot: Snapshot, folder: Path) -> list[Drawing]:
    """Return the plots of all measurements, below a leaderboard's folder."""
    known = [name for name in _names(snapshot) if name in MEASUREMENTS]
    return [drawing for name in known for drawing in _measurement(name).drawings(snapshot, folder)]


def _names(snapshot: Snapshot) -> list[str]:
    known = {name for parts in snapshot.measures.values() for name in parts}
    return sorted(known, key=lambda name: (MEASUREMENTS.builtin_file(name) is None, name))


def _measurement(name: str) -> Any:
    return MEASUREMENTS.get(name).target
