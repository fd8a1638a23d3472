"""A board's curves of test numbers against the strength of damage: a panel for each modality and kind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from vsebench.core.display import Shown
from vsebench.core.display import shown as shown_number
from vsebench.leaderboard.figure import Figure, plot_title
from vsebench.leaderboard.measured import MeasuredRow, measured_rows
from vsebench.leaderboard.palette import GRID, PALE, Style, method_of, styles_of
from vsebench.leaderboard.robustness import at_strength, damages, fact_of, main_metric, shown_of
from vsebench.leaderboard.table import printable, short
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.rows import sort_key

#: Rows with a colour and a name, the best on validation; beside them the best of each modality alone.
NAMED = 8
ACROSS = 3
CAPTION = (
    "Test against strength, one modality damaged at a time, from the undamaged split on the left: means over seeds. "
    "Labelled: the rows best on validation and, dashed, the best row of each modality alone."
)


@dataclass(frozen=True)
class Curve:
    """One row in one panel.

    Args:
        row: its name; ``rank``: its number among the board's rows by validation, from 0.
        alone: the only modality that it reads; empty for a row that reads several.
        x, y: strengths, and means over seeds; ``clean``: without damage.
    """

    row: str
    rank: int
    alone: str
    clean: float
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Panel:
    """The curves of one kind of damage."""

    modality: str
    kind: str
    features: bool
    curves: Sequence[Curve]


def panels(snapshot: Snapshot) -> tuple[str, list[Panel]]:
    """Return the metric and the data of each panel; no panel where nothing was measured."""
    rows = [row for row in measured_rows(snapshot, "robustness") if all(part["clean"] for part in row.parts)]
    if not rows:
        return "", []
    key = main_metric(snapshot, rows)
    rows = _by_validation(snapshot, [row for row in rows if all(key in part["clean"] for part in row.parts)])
    results = []
    for modality, kind, strengths in damages(rows):
        curves = [_curve(row, rank, modality, kind, strengths, key) for rank, row in enumerate(rows)]
        remaining = [curve for curve in curves if curve is not None]
        features = modality in snapshot.dataset.get("features", {})
        if remaining:
            results.append(Panel(modality, kind, features, remaining))
    return key, results


def figures(snapshot: Snapshot) -> list[Figure]:
    """Return the plots that a board has: none, or one."""
    key, shown = panels(snapshot)
    data = [key, snapshot.title, [asdict(panel) for panel in shown]]
    name, draw = f"{snapshot.experiment}-robustness", partial(figure, snapshot)
    return [Figure(name, CAPTION.split(",")[0], data, draw, CAPTION)] if shown else []


def _by_validation(snapshot: Snapshot, rows: Sequence[MeasuredRow]) -> list[MeasuredRow]:
    """Return the rows best first, whatever their section."""
    metric, mode = sort_key(snapshot)

    def order(row: MeasuredRow) -> float:
        estimate = row.view.estimate(metric)
        return math.inf if estimate is None else -estimate.mean if mode == "max" else estimate.mean

    return sorted(rows, key=order)


def _curve(row: MeasuredRow, rank: int, modality: str, kind: str, strengths: Sequence[float], key: str) -> Curve | None:
    points = [(s, e.mean) for s in strengths if (e := row.estimate(at_strength(modality, kind, s, key))) is not None]
    clean = row.estimate(lambda part: part["clean"][key])
    if not points or clean is None:
        return None
    alone = "" if " + " in row.view.modalities else row.view.modalities
    x, y = [point[0] for point in points], [point[1] for point in points]
    return Curve(printable(row.view.row.name), rank, alone, clean.mean, x, y)


def named(shown: Sequence[Panel]) -> list[Curve]:
    """Return the rows that are named: the best of all, then the best of each modality alone, each as one of its
    curves.
    """
    rows = {curve.row: curve for panel in shown for curve in panel.curves}
    ranked = sorted(rows.values(), key=lambda curve: curve.rank)
    result = ranked[:NAMED]
    for alone in dict.fromkeys(curve.alone for curve in ranked if curve.alone):
        best = next(curve for curve in ranked if curve.alone == alone)
        result += [] if best in result else [best]
    return result


def figure(snapshot: Snapshot) -> Any:
    """Draw a matplotlib figure."""
    from matplotlib.figure import Figure as Drawn

    key, shown = panels(snapshot)
    metric = shown_number(key)
    across = 2 if len(shown) == 4 else min(ACROSS, len(shown))
    down = math.ceil(len(shown) / across)
    known = named(shown)
    total = Drawn(figsize=(3.4 * across + 2.6, 3.1 * down + 0.4), layout="constrained")
    axes = total.subplots(down, across, squeeze=False, sharey=True).ravel()
    colours = styles_of(snapshot)
    by_row = {printable(r.view.row.name): colours[method_of(r.view)] for r in measured_rows(snapshot, "robustness")}
    styles = {curve.row: _style(by_row[curve.row], curve) for curve in known}
    handles: dict[str, Any] = {}
    plot_title(total, _title(shown, metric))
    for panel, one in zip(shown, axes, strict=False):
        handles |= _draw(one, panel, styles, metric.factor)
        title = shown_of(panel.kind)["title"] or panel.kind
        one.set_title(short(f"{panel.modality}: {title}", 48), fontsize=10, loc="left", parse_math=False)
        label = fact_of(panel.kind, "axis", panel.modality, precomputed=panel.features) or panel.kind
        one.set_xlabel(short(label, 60), fontsize=8, parse_math=False)
        one.tick_params(labelsize=8)
        one.grid(True, color=GRID, linewidth=0.6, zorder=0)
    for one in axes[len(shown) :]:
        one.set_axis_off()
    for one in axes[::across]:
        one.set_ylabel(
            short(f"test {metric.title}" + (f" in {metric.display.unit}" if metric.display.unit else ""), 60),
            fontsize=9,
            parse_math=False,
        )
    rest = len({curve.row for panel in shown for curve in panel.curves}) - len(known)
    order = [curve.row for curve in known if curve.row in handles]
    names = [short(name, 34) for name in order]
    lines = [handles[row] for row in order]
    if rest:
        lines, names = [*lines, handles[""]], [*names, f"{rest} other{'s' * (rest > 1)}"]
    legend = total.legend(lines, names, loc="outside right upper", frameon=False, fontsize=8)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return total


def _title(shown: Sequence[Panel], metric: Shown) -> str:
    """Return what the plot says: the most that the best row on validation loses."""
    sign = 1.0 if metric.direction != "min" else -1.0
    losses = [
        (sign * metric.factor * (curve.clean - y), x, curve, panel)
        for panel in shown
        for curve in panel.curves
        for x, y in zip(curve.x, curve.y, strict=True)
    ]
    first = min(curve.rank for _, _, curve, _ in losses)
    loss, x, curve, panel = max((one for one in losses if one[2].rank == first), key=lambda one: one[0])
    unit = " points" if metric.display.unit else ""
    kind = shown_of(panel.kind)["title"] or panel.kind
    lost = f"loses up to {loss:.{metric.display.digits}f}{unit} ({panel.modality}: {short(kind, 30)} {x:g})"
    return f"{short(curve.row, 40)}, best on validation, {lost if loss > 0 else 'loses nothing'}"


def _style(style: Style, curve: Curve) -> dict[str, Any]:
    line: dict[str, Any] = {"linestyle": (0, (4, 2))} if curve.alone else {"linestyle": "-"}
    return {"color": style.colour, "marker": style.marker, **line}


def _draw(axes: Any, panel: Panel, styles: dict[str, dict[str, Any]], factor: float) -> dict[str, Any]:
    """Draw a panel, the best on top; returns a line of each name, and one of the others under an empty name."""
    handles: dict[str, Any] = {}
    everywhere = sorted({x for curve in panel.curves for x in curve.x})
    falling = shown_of(panel.kind)["falling"]
    origin = _origin(everywhere) if falling else 0.0
    for curve in sorted(panel.curves, key=lambda c: (c.row in styles, -c.rank)):
        style = styles.get(curve.row, {"color": PALE, "linewidth": 0.8, "zorder": 1})
        style = {"linewidth": 1.5, "markersize": 4.5, "zorder": 3, **style} if curve.row in styles else style
        (line,) = axes.plot([origin, *curve.x], [factor * y for y in (curve.clean, *curve.y)], **style)
        handles[curve.row if curve.row in styles else ""] = line
    axes.set_xticks([origin, *everywhere], ["as it is", *(f"{x:g}" for x in everywhere)])
    if falling:
        axes.invert_xaxis()
    return handles


def _origin(strengths: Sequence[float]) -> float:
    """Return where "no noise" stands on an axis of decibels: as far beyond the highest as strengths lie apart."""
    steps = [b - a for a, b in zip(strengths, strengths[1:], strict=False)]
    return strengths[-1] + (max(steps) if steps else 10.0)
