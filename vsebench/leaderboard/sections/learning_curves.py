"""The section on learning curves: the test score against the number of training items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from vsebench.core.display import Shown
from vsebench.leaderboard.board import BoardData, primary_metric
from vsebench.leaderboard.figure import COLOURS, GRID, MARKERS, Figure
from vsebench.leaderboard.page import Section
from vsebench.leaderboard.table import printable, short
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.rows import views

PLACE = 45
AXIS = "train.items"
#: Lines with a colour of their own.
NAMED = 10


@dataclass(frozen=True)
class Curve:
    """A row at several sizes of the training split.

    Args:
        name: labels of its other axes.
        items: numbers of training items, rising.
        value: the score at each, a mean over seeds.
        half: half of its 95 % interval over seeds; None of one seed.
    """

    name: str
    items: Sequence[int]
    value: Sequence[float]
    half: Sequence[float | None]


def sections(board: BoardData) -> list[Section]:
    """Return the plot of a grid that has ``train.items`` as an axis; none for other boards."""
    shown, curves = primary_metric(board.snapshot), curves_of(board.snapshot)
    if not curves:
        return []
    data = [shown.heading, [[c.name, list(c.items), list(c.value), list(c.half)] for c in curves]]
    caption = f"{shown.heading} against the number of training items; bars: 95 % over seeds."
    figure = Figure(
        f"{board.snapshot.experiment}-learning-curves", "Learning curves", data, partial(draw, curves, shown), caption
    )
    most = max(curves, key=lambda curve: curve.value[-1] - curve.value[0])
    gain = shown.factor * abs(most.value[-1] - most.value[0])
    return [Section("Learning curves", [figure], f"largest change: {most.name}, {gain:.1f} points")]


def curves_of(snapshot: Snapshot) -> list[Curve]:
    """Return a curve for each combination of the other axes, best at the largest size first."""
    key, everything = primary_metric(snapshot).key, snapshot.dataset["splits"].get("train", 0)
    points: dict[str, dict[int, tuple[float, float | None]]] = {}
    for view in views(snapshot, "sweep"):
        label, estimate = view.row.axes.get(AXIS), view.estimate(key)
        if label is None or estimate is None:
            continue
        items = view.config.get("train", {}).get("items", label)
        count = int(everything) if items == "all" else min(int(items), int(everything))
        name = printable(" · ".join(value for axis, value in view.row.axes.items() if axis != AXIS) or view.row.name)
        points.setdefault(name, {})[count] = (estimate.mean, estimate.half)
    curves = []
    for name, by_count in points.items():
        counts = sorted(by_count)
        if len(counts) > 1:
            curves.append(Curve(name, counts, [by_count[n][0] for n in counts], [by_count[n][1] for n in counts]))
    return sorted(curves, key=lambda curve: -curve.value[-1])


def draw(curves: Sequence[Curve], shown: Shown) -> Any:
    """Draw a matplotlib figure: items to the right, on a logarithmic scale; the score upwards."""
    from matplotlib.figure import Figure as Drawn
    from matplotlib.ticker import FuncFormatter, NullFormatter

    drawn = Drawn(figsize=(9.6, 4.8), layout="constrained")
    axes = drawn.add_subplot()
    axes.set_xscale("log")
    for number, curve in enumerate(curves[:NAMED]):
        half = [shown.factor * (h or 0.0) for h in curve.half]
        axes.errorbar(curve.items, [shown.factor * v for v in curve.value], yerr=half, label=short(curve.name, 48),
                      color=COLOURS[number % len(COLOURS)], marker=MARKERS[number % len(MARKERS)], markersize=5,
                      linewidth=1.4, elinewidth=0.8, capsize=2)  # fmt: skip
    counts = sorted({n for curve in curves for n in curve.items})
    axes.set_xticks(counts)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("training items")
    axes.set_ylabel(shown.heading)
    axes.grid(color=GRID, linewidth=0.6)
    drawn.legend(loc="outside right upper", fontsize=8, frameon=False)
    return drawn
