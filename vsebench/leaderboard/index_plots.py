"""Plots of a comparison of indexes: recall against speed and against size."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from vsebench.leaderboard.figure import Figure, Label, label_points, plot_title
from vsebench.leaderboard.palette import GREY, GRID, WHITE, Style, styles
from vsebench.leaderboard.table import short
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.pareto import front
from vsebench.stats.rows import views

#: Recall that is good enough.
ENOUGH = 0.9


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
    drawn = Drawn(figsize=(7.6, 5.2), layout="constrained")
    axes = drawn.add_subplot()
    axes.set_yscale("log")
    if kind.falling:
        axes.invert_yaxis()
    known = index_styles(snapshot)
    best = front([(p.recall, -p.cost if kind.falling else p.cost) for p in shown])
    line = sorted((shown[i] for i in best), key=lambda p: (p.recall, p.cost))
    axes.plot([p.recall for p in line], [p.cost for p in line], color=GREY, linewidth=1.2, zorder=1)
    for family in dict.fromkeys(p.family for p in shown):
        ours, style = [p for p in shown if p.family == family], known[family]
        if kind.falling:
            axes.vlines([p.recall for p in ours], [p.least for p in ours], [p.cost for p in ours],
                        color=style.colour, linewidth=1.0, zorder=2)  # fmt: skip
        axes.scatter([p.recall for p in ours], [p.cost for p in ours], s=42, color=style.colour, marker=style.marker,
                     edgecolors=WHITE, linewidths=0.6, zorder=3)  # fmt: skip
    metric = snapshot.select["metric"]
    better = "fewer upwards; the line leads to the code alone" if kind.falling else "more upwards"
    axes.set_xlabel(f"{short(metric, 60)} in %, against the exact index", parse_math=False)
    axes.set_ylabel(f"{kind.what} ({better})")
    axes.grid(True, which="major", color=GRID, linewidth=0.6, zorder=0)
    axes.margins(x=0.08, y=0.1)
    plot_title(drawn, _title(shown, kind, metric))
    order = sorted(range(len(shown)), key=lambda i: (i not in best, i))
    labels = [
        Label(p.recall, p.cost, short(p.name, 48), known[p.family].colour, i in best)
        for i, p in ((i, shown[i]) for i in order)
    ]
    label_points(drawn, axes, labels, [(p.recall, p.cost) for p in shown])
    return drawn


def index_styles(snapshot: Snapshot) -> dict[str, Style]:
    """Return the style of each kind of index."""
    return styles(str(row.config["index"]["name"]) for row in views(snapshot, "indexes"))


def _title(shown: list[Point], kind: Kind, metric: str) -> str:
    """Return what the plot says."""
    good = [p for p in shown if p.recall >= 100 * ENOUGH]
    if not good:
        return f"No index reaches a {metric} of {100 * ENOUGH:.0f} %; the line joins those that none beats in both"
    best = (min if kind.falling else max)(good, key=lambda p: p.cost)
    return (
        f"{kind.superlative} with {metric} ≥ {100 * ENOUGH:.0f} %: {short(best.name, 48)}; line: none is better in both"
    )
