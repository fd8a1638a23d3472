"""The plot that opens a board: every row with its number and interval, the leading group shaded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.figure import FOLDER, Figure, plot_title
from vsebench.leaderboard.palette import GRID, SHADE, WHITE, Style, method_of, styles_of
from vsebench.leaderboard.table import short

#: Rows that are drawn: the best, and the best of those that read one modality.
MOST = 22
#: Characters of a name.
LONGEST = 30

#: Name, value, ends of the interval, whether it leads its table, whether it reads one modality, value as text, style.
Point = tuple[str, float, float, float, bool, bool, str, Style]


def forest(board: BoardData) -> Figure | None:
    """Return the plot; None of a board with fewer than two rows that have its number."""
    score = board.score(board.sections[0])
    points = sorted(_points(board), key=lambda p: p[1], reverse=score.direction != "min")
    if len(points) < 2:
        return None
    over = "test items" if board.comparison(board.sections[0]) is not None else "seeds"
    unit = f" in {score.display.unit}" if score.display.unit else ""
    whole = any(point[2] < point[3] for point in points)
    label = f"{score.heading}{unit}{f', 95 % over {over}' if whole else ''}"
    return rows_figure(board.snapshot.experiment, points, _title(points), label)


def rows_figure(experiment: str, points: Sequence[Point], title: str, label: str) -> Figure:
    """Return the plot of a board's rows.

    Args:
        experiment: the board's.
        points: of all rows, as they are to stand; of more than :data:`MOST` some are left out.
        title: what the plot says.
        label: of the axis.
    """
    several = any(p[5] for p in points) and not all(p[5] for p in points)
    alone = [i for i, point in enumerate(points) if point[5] and i >= MOST][: MOST // 4]
    shown = [p for i, p in enumerate(points) if i < MOST - len(alone) or i in alone]
    if len(shown) < len(points):
        title += f"; {len(shown)} drawn"
    drawn = [[*point[:-1], point[-1].colour, point[-1].marker] for point in shown]
    data, draw = [title, label, several, drawn], partial(_draw, shown, title, label, several)
    return Figure(f"{experiment}-rows", f"Every row with its number. {title}", data, draw, beside=True)


def _points(board: BoardData) -> list[Point]:
    points: list[Point] = []
    known = styles_of(board.snapshot)
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
            low, high = (scale * end for end in ends)
            text, style = score.plain(estimate.mean), known[method_of(row)]
            points.append((name, scale * estimate.mean, low, high, name in leading, one, text, style))
    return points


def _title(points: Sequence[Point]) -> str:
    """Return what the plot says."""
    leading = [point[0] for point in points if point[4]]
    if len(leading) == 1:
        return f"{short(leading[0], LONGEST)} leads its table (shaded)"
    if leading:
        return f"{len(leading)} of {len(points)} rows lead their table (shaded)"
    return f"{len(points)} rows, best on test first"


def _draw(points: Sequence[Point], title: str, label: str, several: bool) -> Any:
    from matplotlib.figure import Figure as Drawn

    pitch = 0.235 if len(points) <= 12 else 0.2 if len(points) <= 18 else 0.17
    drawn = Drawn(figsize=(5.0, 0.85 + pitch * len(points)), layout="constrained")
    axes = drawn.add_subplot()
    for at, (_, value, low, high, leads, one, text, style) in enumerate(points):
        if leads:
            axes.axhspan(at - 0.5, at + 0.5, color=SHADE, linewidth=0, zorder=0)
        axes.errorbar(value, at, xerr=[[value - low], [high - value]], fmt=style.marker, color=style.colour,
                      markerfacecolor=WHITE if one and several else style.colour, markersize=5.5, capsize=2,
                      linewidth=1.2)  # fmt: skip
        axes.annotate(text, (1.02, at), xycoords=("axes fraction", "data"), va="center", fontsize=8.5)
    axes.set_yticks(range(len(points)), [short(point[0], LONGEST) for point in points], parse_math=False, fontsize=8.5)
    axes.set_ylim(len(points) - 0.5, -0.5)
    axes.tick_params(axis="x", labelsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(True, axis="x", color=GRID, linewidth=0.6, zorder=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    plot_title(drawn, title)
    note = " · hollow: one modality" if several else ""
    drawn.supxlabel(label + note, fontsize=8.5, x=0.01, ha="left", parse_math=False)
    return drawn


def thumbnail(rows: Figure) -> Figure:
    """Return the plot of a board's rows so small that it has no text, for the list of boards."""
    points = rows.data[-1]
    return Figure(rows.name.removesuffix("-rows") + "-thumbnail", rows.alt, points, partial(_draw_small, points))


def thumbnail_file(experiment: str) -> str:
    """Return where a board's thumbnail lies, from the folder."""
    return f"{FOLDER}/{experiment}-thumbnail.svg"


def _draw_small(points: Sequence[Sequence[Any]]) -> Any:
    from matplotlib.figure import Figure as Drawn

    drawn = Drawn(figsize=(1.25, 0.75))
    axes = drawn.add_axes((0.02, 0.02, 0.96, 0.96))
    for at, (_, value, low, high, leads, *_, colour, _) in enumerate(points):
        if leads:
            axes.axhspan(at - 0.5, at + 0.5, color=SHADE, linewidth=0, zorder=0)
        axes.plot([low, high], [at, at], color=colour, linewidth=0.8)
        axes.plot([value], [at], marker="o", color=colour, markersize=2.4)
    axes.set_ylim(len(points) - 0.5, -0.5)
    axes.margins(x=0.06)
    axes.set_axis_off()
    return drawn
