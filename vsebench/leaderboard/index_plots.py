"""Plots of a comparison of indexes: recall against speed and against size."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from vsebench.leaderboard.figure import COLOURS, GREY, GRID, MARKERS, Figure, placed
from vsebench.leaderboard.table import short
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.pareto import front
from vsebench.stats.rows import views


@dataclass(frozen=True)
class Kind:
    """A plot of recall against a cost or speed.

    Args:
        name: ends the file's name; ``title``: in the table; ``superlative``: of the best.
        what: the other number, in words.
        falling: whether less of it is better.
    """

    name: str
    title: str
    superlative: str
    what: str
    falling: bool

    def key(self, k: int) -> str:
        """Return the metric of a plot."""
        return "bytes_per_vector" if self.falling else f"qps@{k}"


KINDS = (
    Kind("speed", "speed", "Fastest", "queries per second", False),
    Kind("size", "size", "Smallest", "bytes per vector", True),
)


@dataclass(frozen=True)
class Point:
    """A row of the board.

    Args:
        recall: in percent.
        cost: queries per second, or bytes per vector.
        least: bytes of a further vector's code; the speed where that is drawn.
    """

    name: str
    family: str
    recall: float
    cost: float
    least: float


def figures(snapshot: Snapshot) -> list[Figure]:
    """Return the plots that a board has."""
    k, results = int(snapshot.select["metric"].rsplit("@", 1)[1]), []
    for kind in KINDS:
        shown = points(snapshot, kind)
        data = [kind.name, snapshot.title, snapshot.select["metric"], [asdict(point) for point in shown]]
        name, alt = f"{snapshot.experiment}-{kind.name}", f"recall@{k} against {kind.what}"
        results += [Figure(name, alt, data, partial(figure, snapshot, kind))] if shown else []
    return results


def points(snapshot: Snapshot, kind: Kind) -> list[Point]:
    """Return the points of a plot, in the order of the board."""
    metric = snapshot.select["metric"]
    k = int(metric.rsplit("@", 1)[1])
    results = []
    for row in views(snapshot, "indexes"):
        recall, cost, code = row.estimate(metric), row.estimate(kind.key(k)), row.estimate("code_bytes")
        if recall is not None and cost is not None and cost.mean > 0:
            least = code.mean if kind.falling and code is not None and code.mean > 0 else cost.mean
            name = str(row.config["index"]["name"])
            results.append(Point(row.row.name, name, 100 * recall.mean, cost.mean, min(least, cost.mean)))
    return results


def figure(snapshot: Snapshot, kind: Kind) -> Any:
    """Draw a matplotlib figure: recall to the right, the other number upwards, the front as a line."""
    from matplotlib.figure import Figure as Drawn

    shown = points(snapshot, kind)
    drawn = Drawn(figsize=(9.0, 5.6), layout="constrained")
    axes = drawn.add_subplot()
    axes.set_yscale("log")
    if kind.falling:
        axes.invert_yaxis()
    styles = _styles(shown)
    best = front([(p.recall, -p.cost if kind.falling else p.cost) for p in shown])
    line = sorted((shown[i] for i in best), key=lambda p: (p.recall, p.cost))
    axes.plot([p.recall for p in line], [p.cost for p in line], color=GREY, linewidth=1.2, zorder=1,
              label="no row is better in both")  # fmt: skip
    for family, (colour, marker) in styles.items():
        ours = [p for p in shown if p.family == family]
        if kind.falling:
            axes.vlines([p.recall for p in ours], [p.least for p in ours], [p.cost for p in ours],
                        color=colour, linewidth=1.0, alpha=0.5, zorder=2)  # fmt: skip
        axes.scatter([p.recall for p in ours], [p.cost for p in ours], s=42, color=colour, marker=marker,
                     edgecolors="white", linewidths=0.6, zorder=3, label=_legend(family))  # fmt: skip
    metric = snapshot.select["metric"]
    better = "fewer upwards; the line leads to the code alone" if kind.falling else "more upwards"
    axes.set_xlabel(f"{short(metric, 60)} in %, against the exact index", parse_math=False)
    axes.set_ylabel(f"{kind.what} ({better})")
    axes.set_title(short(snapshot.title), fontsize=11, loc="left", parse_math=False)
    axes.grid(True, which="major", color=GRID, linewidth=0.6, zorder=0)
    axes.margins(x=0.08, y=0.1)
    legend = axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    for text in legend.get_texts():
        text.set_parse_math(False)
    _label(drawn, axes, shown, {shown[i].name for i in best}, styles)
    return drawn


def _styles(shown: list[Point]) -> Mapping[str, tuple[str, str]]:
    families = sorted({p.family for p in shown})
    return {f: (COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i, f in enumerate(families)}


def _label(drawn: Any, axes: Any, shown: list[Point], best: set[str], styles: Mapping[str, tuple[str, str]]) -> None:
    """Names beside their points where there is room; those of the front first."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.transforms import Bbox

    canvas = FigureCanvasAgg(drawn)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        canvas.draw()  # settles the layout, so that positions are known
        drawn.set_layout_engine("none")
        renderer: Any = canvas.get_renderer()
        frame = axes.get_window_extent(renderer)
        at = [axes.transData.transform((p.recall, p.cost)) for p in shown]
        taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in at]
        order = sorted(range(len(shown)), key=lambda i: (shown[i].name not in best, i))
        for i in order:
            point = shown[i]
            text = axes.annotate(short(point.name, 48), (point.recall, point.cost), xytext=(0, 0),
                                 textcoords="offset points", fontsize=7.5, color=styles[point.family][0],
                                 parse_math=False, fontweight="bold" if point.name in best else "normal")  # fmt: skip
            if not placed(text, renderer, frame, taken):
                text.remove()


def _legend(family: str) -> str:
    """Format a legend's entry; matplotlib leaves out one that begins with an underscore."""
    shown = short(family, 48)
    return f" {shown}" if shown.startswith("_") else shown
