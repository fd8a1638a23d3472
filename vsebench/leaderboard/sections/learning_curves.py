"""The section on learning curves: the test score against the number of training items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from vsebench.core.display import Shown
from vsebench.leaderboard.board import BoardData, primary_metric
from vsebench.leaderboard.figure import Figure, Label, label_ends, plot_title
from vsebench.leaderboard.page import Section
from vsebench.leaderboard.palette import GRID, Style, method_of, styles_of
from vsebench.leaderboard.table import short
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
        name: its method.
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
    styles = styles_of(board.snapshot)
    data = [shown.heading, [[c.name, list(c.items), list(c.value), list(c.half)] for c in curves]]
    caption = f"{shown.heading} against the number of training items; bars: 95 % over seeds."
    most = max(curves, key=lambda curve: abs(curve.value[-1] - curve.value[0]))
    gain = shown.in_sentence(most.value[-1] - most.value[0], None)
    title = f"largest change: {short(most.name, 48)}, {gain} from {most.items[0]:,} to {most.items[-1]:,} items"
    name, render = f"{board.snapshot.experiment}-learning-curves", partial(draw, curves, shown, title, styles)
    return [Section("Learning curves", [Figure(name, "Learning curves", data, render, caption)], title)]


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
        points.setdefault(method_of(view), {})[count] = (estimate.mean, estimate.half)
    curves = []
    for name, by_count in points.items():
        counts = sorted(by_count)
        if len(counts) > 1:
            curves.append(Curve(name, counts, [by_count[n][0] for n in counts], [by_count[n][1] for n in counts]))
    return sorted(curves, key=lambda curve: -curve.value[-1])


def draw(curves: Sequence[Curve], shown: Shown, title: str, styles: Mapping[str, Style]) -> Any:
    """Draw a matplotlib figure: items to the right, on a logarithmic scale; the score upwards."""
    from matplotlib.figure import Figure as Drawn
    from matplotlib.ticker import FuncFormatter, NullFormatter

    drawn = Drawn(figsize=(7.6, 4.4), layout="constrained")
    axes = drawn.add_subplot()
    axes.set_xscale("log")
    labels = []
    for curve in curves[:NAMED]:
        half, style = [shown.factor * (h or 0.0) for h in curve.half], styles[curve.name]
        values = [shown.factor * v for v in curve.value]
        axes.errorbar(curve.items, values, yerr=half, color=style.colour, marker=style.marker, markersize=5,
                      linewidth=1.4, elinewidth=0.8, capsize=2)  # fmt: skip
        labels.append(Label(curve.items[-1], values[-1], short(curve.name, 40), style.colour))
    axes.set_xticks(sorted({n for curve in curves for n in curve.items}))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("training items")
    axes.set_ylabel(shown.heading + (f" in {shown.display.unit}" if shown.display.unit else ""), parse_math=False)
    axes.grid(color=GRID, linewidth=0.6)
    plot_title(drawn, title[:1].upper() + title[1:])
    label_ends(axes, labels, 250.0)
    return drawn
