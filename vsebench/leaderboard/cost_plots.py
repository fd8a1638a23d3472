"""Plots of quality against cost: each row a point, the rows that nothing beats in both as a line."""

from __future__ import annotations

from functools import partial
from typing import Any

from vsebench.leaderboard.board import primary_metric
from vsebench.leaderboard.cost import COSTS, Against, Costed, compared, front_of
from vsebench.leaderboard.figure import Figure, Label, label_points, plot_title
from vsebench.leaderboard.palette import GREY, GRID, WHITE, method_of, styles_of
from vsebench.leaderboard.table import printable, short
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.rows import sort_key

#: Characters of a name.
LONGEST = 44


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
    picture = Drawn(figsize=(7.6, 4.8), layout="constrained")
    axes = picture.add_subplot()
    axes.set_xscale("log")
    if not rising:
        axes.invert_yaxis()
    x, y, _ = _numbers(best, against, factor)
    axes.plot(x, y, color=GREY, linewidth=1.2, drawstyle="steps-post", zorder=3)
    known = styles_of(snapshot)
    styles = {row.view.row.name: known[method_of(row.view)] for row in best}
    for row in sorted(rows, key=lambda row: row.view.row.name in names):
        style, at = styles.get(row.view.row.name), _numbers([row], against, factor)
        axes.errorbar(*at, fmt=style.marker if style else "o", color=style.colour if style else GREY,
                      markersize=7.5 if style else 5, elinewidth=0.8, markeredgecolor=WHITE, markeredgewidth=0.6,
                      zorder=4 if style else 2)  # fmt: skip
    unit = f" in {metric.display.unit}" if metric.display.unit else ""
    axes.set_ylabel(f"{short(metric.heading, 60)}{unit} (bars: 95 % over seeds)", parse_math=False)
    label = printable(f"{against.what}, log scale (cheaper to the left)")
    axes.set_xlabel("\n".join([label, *map(short, _where(rows, against))]), parse_math=False)
    plot_title(picture, _title(best, len(rows)))
    axes.grid(True, which="major", color=GRID, linewidth=0.6, zorder=0)
    axes.margins(x=0.1, y=0.1)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    labels = [
        Label(at, up, short(row.view.row.name, LONGEST), styles[row.view.row.name].colour, bold=True)
        for row, at, up in zip(best, x, y, strict=True)
    ]
    every, up, _ = _numbers(rows, against, factor)
    label_points(picture, axes, labels, list(zip(every, up, strict=True)))
    return picture


def _title(best: list[Costed], count: int) -> str:
    """Return what the plot says; ``best`` has the cheapest first and the best last."""
    first, last = (short(row.view.row.name, 30) for row in (best[0], best[-1]))
    beaten = f"; grey: {count - len(best)} beaten in both" if count > len(best) else ""
    return f"Best and cheapest: {first}{beaten}" if len(best) == 1 else f"Cheapest: {first}; best: {last}{beaten}"


def _numbers(rows: list[Costed], against: Against, factor: float) -> tuple[list[float], list[float], list[float]]:
    """Costs, qualities and the half-widths of their intervals, 0 for one seed."""
    known = [(against.of(row) or 0.0, row.quality) for row in rows]
    points = [(cost, result) for cost, result in known if result is not None]
    return (
        [cost for cost, _ in points],
        [factor * result.mean for _, result in points],
        [factor * (result.half or 0.0) for _, result in points],
    )
