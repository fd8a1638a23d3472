"""The plot that opens a board: every row with its interval, the leading group shaded."""

from __future__ import annotations

from functools import partial
from typing import Any

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.figure import COLOURS, GREY, GRID, Figure
from vsebench.leaderboard.table import short

#: Rows that are drawn, the best.
MOST = 30
SEVERAL, ONE, SHADE = COLOURS[0], COLOURS[1], "#e3eef4"

#: Name, value, ends of the interval, whether it leads its table, whether it reads one modality.
Point = tuple[str, float, float, float, bool, bool]


def forest(board: BoardData) -> Figure | None:
    """Return the plot; None of a board with fewer than two rows that have its number."""
    score = board.score(board.sections[0])
    points = sorted(_points(board), key=lambda p: p[1], reverse=score.direction != "min")[:MOST]
    if len(points) < 2:
        return None
    over = "test items" if board.comparison(board.sections[0]) is not None else "seeds"
    label = f"{score.heading}{' in %' if score.display.unit else ''}, 95 % over {over}"
    several = any(p[5] for p in points) and not all(p[5] for p in points)
    alt = "Every row with its interval" + (", the leading group shaded" if any(p[4] for p in points) else "")
    return Figure(
        f"{board.snapshot.experiment}-rows", alt, [label, several, points], partial(_draw, points, label, several)
    )


def _points(board: BoardData) -> list[Point]:
    points: list[Point] = []
    for section in board.sections:
        score, comparison, leading = board.score(section), board.comparison(section), board.leading(section)
        for row in (row for row in board.rows if row.row.section == section):
            estimate = row.estimate(score.key)
            if estimate is None:
                continue
            half = estimate.half or 0.0
            ends = estimate.mean - half, estimate.mean + half
            scale, name = score.factor, row.row.name
            if comparison is not None and name in comparison.ranked_rows:
                interval, per_share = comparison.ranked_rows[name].interval, comparison.measure.scale / scale
                ends = per_share * interval.low, per_share * interval.high
            one = " + " not in row.modalities
            points.append((name, scale * estimate.mean, scale * ends[0], scale * ends[1], name in leading, one))
    return points


def _draw(points: list[Point], label: str, several: bool) -> Any:
    from matplotlib.figure import Figure as Drawn

    drawn = Drawn(figsize=(8.6, 0.9 + 0.27 * len(points)), layout="constrained")
    axes = drawn.add_subplot()
    for at, (_, value, low, high, leads, one) in enumerate(points):
        if leads:
            axes.axhspan(at - 0.5, at + 0.5, color=SHADE, linewidth=0, zorder=0)
        style: dict[str, Any] = {"fmt": "s" if one and several else "o", "color": ONE if one and several else SEVERAL}
        axes.errorbar(value, at, xerr=[[value - low], [high - value]], markersize=5, capsize=2, linewidth=1.2, **style)
    axes.set_yticks(range(len(points)), [short(point[0], 44) for point in points], parse_math=False, fontsize=9)
    axes.set_ylim(len(points) - 0.5, -0.5)
    axes.set_xlabel(label, fontsize=9, parse_math=False)
    axes.grid(True, axis="x", color=GRID, linewidth=0.6, zorder=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    count = sum(point[4] for point in points)
    title = f"{count} of {len(points)} rows lead their table (shaded)" if count else ""
    note = "   ■ one modality" if several else ""
    axes.set_title(title + note, fontsize=10, loc="left", color="#222222" if title else GREY)
    return drawn
