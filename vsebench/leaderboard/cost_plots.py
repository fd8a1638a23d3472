"""Plots of quality against cost: each row a point, the rows that nothing beats in both as a line."""

from __future__ import annotations

from functools import partial
from typing import Any

from vsebench.leaderboard.board import primary_metric
from vsebench.leaderboard.cost import COSTS, Against, Costed, compared, front_of
from vsebench.leaderboard.figure import COLOURS, GREY, GRID, Figure, placed
from vsebench.leaderboard.table import printable, short
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.rows import sort_key

FRONT = COLOURS[0]
#: Characters of a name, and names of the legend.
LONGEST, NAMED = 44, 24


def figures(snapshot: Snapshot) -> list[Figure]:
    """Return the plots that a board has: those with at least two rows."""
    results = []
    for against in COSTS:
        rows = compared(snapshot, against)
        points = [
            [row.view.row.name, row.quality and (row.quality.mean, row.quality.half), against.of(row)] for row in rows
        ]
        if len(rows) > 1:
            data = [against.name, snapshot.title, primary_metric(snapshot).heading, _where(rows, against), points]
            name, alt = f"{snapshot.experiment}-cost-{against.name}", f"Quality against {against.what}"
            results.append(Figure(name, alt, data, partial(figure, snapshot, against)))
    return results


def _where(rows: list[Costed], against: Against) -> list[str]:
    return [rows[0].hardware] if against.timed else []


def figure(snapshot: Snapshot, against: Against) -> Any:
    """Draw a matplotlib figure: cost to the right, on a logarithmic scale; quality upwards, intervals over seeds."""
    from matplotlib.figure import Figure as Drawn
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    rows, best = compared(snapshot, against), front_of(snapshot, against)
    metric, names = primary_metric(snapshot), {row.view.row.name for row in best}
    factor, rising = metric.factor, sort_key(snapshot)[1] == "max"
    picture = Drawn(figsize=(9.6, 5.2), layout="constrained")
    axes = picture.add_subplot()
    axes.set_xscale("log")
    if not rising:
        axes.invert_yaxis()
    others = [row for row in rows if row.view.row.name not in names]
    for some, colour, marker, size, level in ((others, GREY, "o", 5, 2), (best, FRONT, "D", 7, 4)):
        x, y, half = _numbers(some, against, factor)
        axes.errorbar(x, y, yerr=half, fmt=marker, color=colour, markersize=size, elinewidth=0.8,
                      alpha=0.75 if some is others else 1, markeredgecolor="white", markeredgewidth=0.6,
                      zorder=level)  # fmt: skip
    x, y, _ = _numbers(best, against, factor)
    axes.plot(x, y, color=FRONT, linewidth=1.3, drawstyle="steps-post", zorder=3)
    _name(axes, best, len(others))
    unit = f" in {metric.display.unit}" if metric.display.unit else ""
    axes.set_ylabel(f"{short(metric.heading, 60)}{unit} (better upwards; bars: 95 % over seeds)", parse_math=False)
    label = printable(f"{against.what}, log scale (cheaper to the left)")
    axes.set_xlabel("\n".join([label, *map(short, _where(rows, against))]), parse_math=False)
    axes.set_title(short(snapshot.title), fontsize=11, loc="left", parse_math=False)
    axes.grid(True, which="major", color=GRID, linewidth=0.6, zorder=0)
    axes.margins(x=0.06, y=0.08)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    _number_marks(picture, axes, list(zip(x, y, strict=True)))
    return picture


def _numbers(rows: list[Costed], against: Against, factor: float) -> tuple[list[float], list[float], list[float]]:
    """Costs, qualities and the half-widths of their intervals, 0 for one seed."""
    known = [(against.of(row) or 0.0, row.quality) for row in rows]
    points = [(cost, result) for cost, result in known if result is not None]
    return (
        [cost for cost, _ in points],
        [factor * result.mean for _, result in points],
        [factor * (result.half or 0.0) for _, result in points],
    )


def _name(axes: Any, best: list[Costed], others: int) -> None:
    """Label the front: its numbers with their rows' names, beside the plot."""
    from matplotlib.lines import Line2D

    lines, texts = [], []
    for number, row in enumerate(best, 1):
        if number <= NAMED:
            lines.append(Line2D([], [], linestyle="none"))
            texts.append(f"{number}  {short(row.view.row.name, LONGEST)}")
    lines.append(Line2D([], [], linestyle="none", marker="o", color=GREY, markersize=5))
    texts.append(f"beaten by another row: {others}")
    legend = axes.legend(lines, texts, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8.5,
                         handlelength=0.8, title="No row is better and cheaper", title_fontsize=9,
                         alignment="left")  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def _number_marks(picture: Any, axes: Any, marks: list[tuple[float, float]]) -> None:
    """Put a number beside every mark of the front, where it covers no other mark or number."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.patheffects import withStroke
    from matplotlib.transforms import Bbox

    canvas = FigureCanvasAgg(picture)
    canvas.draw()  # settles the layout, so that positions are known
    picture.set_layout_engine("none")
    renderer: Any = canvas.get_renderer()
    frame = axes.get_window_extent(renderer)
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in (axes.transData.transform(mark) for mark in marks)]
    for number, mark in enumerate(marks, 1):
        text = axes.annotate(str(number), mark, xytext=(0, 0), textcoords="offset points", fontsize=8, color=FRONT,
                             fontweight="bold", zorder=6,
                             path_effects=[withStroke(linewidth=2, foreground="white")])  # fmt: skip
        result = (d for d in (1.0, 2.0, 3.2, 4.5, 6.0) if placed(text, renderer, frame, taken, d))
        if next(result, 1.0) > 1.0:
            axes.annotate("", mark, xytext=text.get_position(), textcoords="offset points", zorder=5,
                          arrowprops={"arrowstyle": "-", "color": FRONT, "linewidth": 0.5})  # fmt: skip
