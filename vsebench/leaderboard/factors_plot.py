"""The plot of what each part contributes: a panel per axis, a point with its interval per level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from vsebench.core.display import Shown
from vsebench.leaderboard.board import primary_metric
from vsebench.leaderboard.factors import Effect, Grid, grid_of, level_effects
from vsebench.leaderboard.figure import COLOURS, GREY, GRID, Figure
from vsebench.leaderboard.table import short
from vsebench.runs.snapshot import Snapshot

#: Characters of a label.
LONGEST = 32


def effects_of(snapshot: Snapshot) -> tuple[Shown, Grid, list[list[Effect | None]]] | None:
    """Return the number, the grid and each axis's effects by level; None where no two runs differ in one part alone."""
    shown = primary_metric(snapshot)
    grid = grid_of(snapshot, shown.key)
    if grid is None:
        return None
    levels = [level_effects(grid, axis) for axis in range(len(grid.axes))]
    return (shown, grid, levels) if any(effect for axis in levels for effect in axis) else None


def factors_figure(snapshot: Snapshot, titles: Mapping[str, str]) -> Figure:
    """Return the plot of a board that has effects.

    Args:
        snapshot: the board's content.
        titles: axis -> what its panel is called; its name where there is none.
    """
    plot_data = effects_of(snapshot)
    assert plot_data is not None
    shown, grid, _ = plot_data
    # What the effects are computed from: another machine's linear algebra may round them in another way.
    numbers = [array.tolist() for array in (grid.cells, grid.seeds, grid.values)]
    data = [shown.key, shown.factor, [named(axis, titles) for axis in grid.axes], grid.levels, *numbers]
    alt = "The effect of each level with its interval, a panel per part"
    return Figure(f"{snapshot.experiment}-factors", alt, data, partial(figure, snapshot, titles))


def named(axis: str, titles: Mapping[str, str]) -> str:
    """Format an axis by its title; axes that change together by all of theirs."""
    return " + ".join(titles.get(part, part) for part in axis.split(" + "))


def figure(snapshot: Snapshot, titles: Mapping[str, str]) -> Any:
    """Draw a matplotlib figure. Panels have scales of their own: one axis may matter a hundred times more than
    another.
    """
    from matplotlib.figure import Figure as Drawn

    plot_data = effects_of(snapshot)
    assert plot_data is not None
    shown, grid, levels = plot_data
    heights = [len(names) + 1.0 for names in grid.levels]
    drawn = Drawn(figsize=(7.6, 0.6 + 0.3 * sum(heights) + 0.25 * len(heights)), layout="constrained")
    panels = drawn.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, axis, names, effects in zip(panels, grid.axes, grid.levels, levels, strict=True):
        _draw(panel, shown, named(axis, titles), names, effects)
    unit = " (points)" if shown.unit else ""
    effect = f"effect on {short(shown.heading)}{unit}, against the mean of the part's levels"
    label = f"{effect}; each part has a scale of its own"
    panels[-1].set_xlabel(label, fontsize=9, parse_math=False)
    return drawn


def _draw(panel: Any, shown: Shown, axis: str, names: Sequence[str], effects: Sequence[Effect | None]) -> None:
    panel.axvline(0.0, color=GREY, linewidth=0.8, zorder=1)
    for at, effect in enumerate(effects):
        if effect is not None:
            half = None if effect.half is None else shown.factor * effect.half
            panel.errorbar(shown.factor * effect.value, at, xerr=half, fmt="o", color=COLOURS[0], capsize=3, zorder=2)
        text = "no match" if effect is None else shown.interval(effect.value, effect.half)
        panel.annotate(text, (1.01, at), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    panel.set_yticks(range(len(names)), [short(name, LONGEST) for name in names], parse_math=False)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.set_title(short(axis, LONGEST), fontsize=10, loc="left", parse_math=False)
    panel.grid(True, axis="x", color=GRID, linewidth=0.6, zorder=0)
