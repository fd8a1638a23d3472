"""The grid once more, with one axis across: methods down, code lengths across, as published tables have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vsebench.core.metric_specs import best_of
from vsebench.leaderboard.full_ranking_metrics import title_of
from vsebench.leaderboard.table import escape, table
from vsebench.stats.intervals import Estimate
from vsebench.stats.rows import RowView, axes_of


def pivot_lines(pivot: Mapping[str, Any] | None, rows: Sequence[RowView], titles: Mapping[str, str]) -> list[str]:
    """Return a table of the other axes' combinations, with a column for each metric and each value of the axis across.

    Args:
        pivot: ``by``, the axis across, and ``metrics``, the keys; the board's ``pivot``. None for no table.
        rows: of the grid, the best first; the order in which a combination first stands there is kept.
        titles: axis -> what heads its column.
    """
    if pivot is None or not any(pivot["by"] in row.row.axes for row in rows):
        return []
    by, keys = str(pivot["by"]), [str(key) for key in pivot["metrics"]]
    across = sorted({row.row.axes[by] for row in rows if by in row.row.axes}, key=_number)
    down = [axis for axis in axes_of(rows) if axis != by]
    cells: dict[tuple[str, ...], dict[tuple[str, str], Estimate]] = {}
    for row in (row for row in rows if by in row.row.axes):
        by_value = {(key, row.row.axes[by]): e for key in keys if (e := row.estimate(key)) is not None}
        cells.setdefault(tuple(row.label(axis) for axis in down), {}).update(by_value)
    columns = [(key, value) for key in keys for value in across]
    best = {c: best_of(c[0], (e[c].mean for e in cells.values() if c in e)) for c in columns}
    header = [titles.get(axis, escape(axis)) for axis in down]
    header += [f"{escape(title_of(key))}, {escape(value)}" for key, value in columns]
    body = []
    for names, estimates in cells.items():
        line = [escape(name) for name in names]
        for column in columns:
            result = estimates.get(column)
            text = "–" if result is None else result.text(percent=True)
            line.append(
                f"**{text}**" if result is not None and result.mean == best[column] and len(cells) > 1 else text
            )
        body.append(line)
    return [f"By {titles.get(by, escape(by)).lower()}, in percent:", "", *table(header, body, left=len(down)), ""]


def _number(label: str) -> tuple[float, str]:
    try:
        return float(label), label
    except ValueError:
        return float("inf"), label
