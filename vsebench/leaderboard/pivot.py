"""The grid once more, with one axis across: methods down, code lengths across, as published tables have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vsebench.core.display import shown
from vsebench.leaderboard.page import Block, plain_table
from vsebench.leaderboard.titles import AXIS_TITLES
from vsebench.stats.intervals import Estimate
from vsebench.stats.rows import RowView, axes_of


def pivot_blocks(pivot: Mapping[str, Any] | None, rows: Sequence[RowView]) -> list[Block]:
    """Return a table of the other axes' combinations, with a column for each metric and each value of the axis across.

    Args:
        pivot: ``by``, the axis across, and ``metrics``, the keys; the board's ``pivot``. None for no table.
        rows: of the grid, the best first; the order in which a combination first stands there is kept.
    """
    rows = [row for row in rows if pivot is not None and pivot["by"] in row.row.axes]
    if pivot is None or not rows:
        return []
    by, metrics = str(pivot["by"]), [shown(str(key)) for key in pivot["metrics"]]
    across = sorted({row.row.axes[by] for row in rows}, key=_number)
    down = [axis for axis in axes_of(rows) if axis != by]
    cells: dict[tuple[str, ...], dict[tuple[str, str], Estimate]] = {}
    for row in rows:
        by_value = {(m.key, row.row.axes[by]): e for m in metrics if (e := row.estimate(m.key)) is not None}
        cells.setdefault(tuple(row.label(axis) for axis in down), {}).update(by_value)
    columns = [(metric, value) for metric in metrics for value in across]
    header = [AXIS_TITLES.get(axis, axis) for axis in down]
    header += [f"{metric.title}{' %' if metric.display.unit else ''}, {value}" for metric, value in columns]
    body = [
        [*names, *("–" if (e := known.get((m.key, value))) is None else m.cell(e) for m, value in columns)]
        for names, known in cells.items()
    ]
    return [f"By {AXIS_TITLES.get(by, by).lower()}:", plain_table(header, body, left=len(down))]


def _number(label: str) -> tuple[float, str]:
    try:
        return float(label), label
    except ValueError:
        return float("inf"), label
