"""The plot of what each part contributes: a panel per axis, a point with its interval per level."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vsebench.leaderboard.factors import Effect, Grid, grid_of, level_effects
from vsebench.leaderboard.index_plots import as_svg, shows, stamped
from vsebench.leaderboard.plots import FOLDER
from vsebench.leaderboard.primary_metric import PrimaryMetric, primary_metric
from vsebench.leaderboard.table import short
from vsebench.runs.snapshot import Snapshot

#: Raised when plots are drawn in another way, so that committed ones are drawn again.
DRAWING = 1
#: Characters of a label.
LONGEST = 32


def effects_of(snapshot: Snapshot) -> tuple[PrimaryMetric, Grid, list[list[Effect | None]]] | None:
    """Return the number, the grid and each axis's effects by level; None where no two runs differ in one part alone."""
    shown = primary_metric(snapshot)
    grid = grid_of(snapshot, shown.key) if shown is not None else None
    if shown is None or grid is None:
        return None
    levels = [level_effects(grid, axis) for axis in range(len(grid.axes))]
    return (shown, grid, levels) if any(effect for axis in levels for effect in axis) else None


def plot_file(snapshot: Snapshot) -> str:
    """Where the plot lies, from the board's folder."""
    return f"{FOLDER}/{snapshot.experiment}-factors.svg"


def is_current(file: Path, snapshot: Snapshot, titles: Mapping[str, str]) -> bool:
    """Whether a file is the plot that the results give, as it was drawn.

    Args:
        file: of the plot.
        snapshot: the board's content.
        titles: axis -> what its panel is called; its name where there is none.
    """
    return shows(file, _digest(snapshot, titles))


def svg(snapshot: Snapshot, titles: Mapping[str, str]) -> str:
    """Return the plot as SVG text, with its digests."""
    return stamped(as_svg(figure(snapshot, titles)), _digest(snapshot, titles))


def named(axis: str, titles: Mapping[str, str]) -> str:
    """Format an axis by its title; axes that change together by all of theirs."""
    return " + ".join(titles.get(part, part) for part in axis.split(" + "))


def _digest(snapshot: Snapshot, titles: Mapping[str, str]) -> str:
    plot_data = effects_of(snapshot)
    assert plot_data is not None
    shown, grid, _ = plot_data
    # Of what the effects are computed from: another machine's linear algebra may round them in another way.
    numbers = [array.tolist() for array in (grid.cells, grid.seeds, grid.values)]
    parts = [DRAWING, asdict(shown), [named(axis, titles) for axis in grid.axes], grid.levels, *numbers]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def figure(snapshot: Snapshot, titles: Mapping[str, str]) -> Any:
    """Draw a matplotlib figure. Panels have scales of their own: one axis may matter a hundred times more than
    another.
    """
    from matplotlib.figure import Figure

    plot_data = effects_of(snapshot)
    assert plot_data is not None
    shown, grid, levels = plot_data
    heights = [len(names) + 1.0 for names in grid.levels]
    drawn = Figure(figsize=(7.6, 0.6 + 0.3 * sum(heights) + 0.25 * len(heights)), layout="constrained")
    panels = drawn.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, axis, names, effects in zip(panels, grid.axes, grid.levels, levels, strict=True):
        _draw(panel, shown, named(axis, titles), names, effects)
    unit = " (points)" if shown.unit else ""
    label = (
        f"effect on {short(shown.key)}{unit}, against the mean of the part's levels; each part has a scale of its own"
    )
    panels[-1].set_xlabel(label, fontsize=9, parse_math=False)
    return drawn


def _draw(panel: Any, shown: PrimaryMetric, axis: str, names: Sequence[str], effects: Sequence[Effect | None]) -> None:
    panel.axvline(0.0, color="#999999", linewidth=0.8, zorder=1)
    for at, effect in enumerate(effects):
        if effect is not None:
            half = None if effect.half is None else shown.factor * effect.half
            panel.errorbar(shown.factor * effect.value, at, xerr=half, fmt="o", color="#0b6e99", capsize=3, zorder=2)
        text = "no match" if effect is None else shown.interval(effect.value, effect.half)
        panel.annotate(text, (1.01, at), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    panel.set_yticks(range(len(names)), [short(name, LONGEST) for name in names], parse_math=False)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.set_title(short(axis, LONGEST), fontsize=10, loc="left", parse_math=False)
    panel.grid(True, axis="x", color="#dddddd", linewidth=0.6, zorder=0)
