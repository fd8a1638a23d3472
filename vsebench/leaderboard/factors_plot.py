"""The plot of what each part contributes: a panel per axis, a point with its interval per level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from vsebench.core.display import Shown
from vsebench.leaderboard.board import primary_metric
from vsebench.leaderboard.factors import Effect, Grid, grids_of, level_effects
from vsebench.leaderboard.figure import COLOURS, GREY, GRID, Figure
from vsebench.leaderboard.table import short
from vsebench.runs.snapshot import Snapshot

#: Characters of a label.
LONGEST = 32


@dataclass(frozen=True)
class Effects:
    """The effects of a grid's levels on a number.

    Args:
        shown: the number.
        grid: the runs.
        levels: of each axis, each level's effect.
        name: of the figure's file.
    """

    shown: Shown
    grid: Grid
    levels: Sequence[Sequence[Effect | None]]
    name: str

    @property
    def exist(self) -> bool:
        """Whether two runs differ in one part alone."""
        return any(effect for axis in self.levels for effect in axis)


def effects_of(snapshot: Snapshot) -> list[Effects]:
    """Return the effects of each grid on the board's number."""
    shown = primary_metric(snapshot)
    grids, name = grids_of(snapshot, shown.key), f"{snapshot.experiment}-factors"
    names = [name] if len(grids) == 1 else [f"{name}-{i + 1}" for i in range(len(grids))]
    levels = [[level_effects(grid, axis) for axis in range(len(grid.axes))] for grid in grids]
    return [Effects(shown, *parts) for parts in zip(grids, levels, names, strict=True)]


def factors_figure(effects: Effects, titles: Mapping[str, str]) -> Figure:
    """Return the plot of a grid that has effects.

    Args:
        effects: its effects.
        titles: axis -> what its panel is called; its name where there is none.
    """
    shown, grid = effects.shown, effects.grid
    # What the effects are computed from: another machine's linear algebra may round them in another way.
    numbers = [array.tolist() for array in (grid.cells, grid.seeds, grid.values)]
    data = [shown.key, shown.factor, [named(axis, titles) for axis in grid.axes], grid.levels, *numbers]
    alt = "The effect of each level with its interval, a panel per part"
    return Figure(effects.name, alt, data, partial(figure, effects, titles))


def named(axis: str, titles: Mapping[str, str]) -> str:
    """Format an axis by its title; axes that change together by all of theirs."""
    return " + ".join(titles.get(part, part) for part in axis.split(" + "))


def figure(effects: Effects, titles: Mapping[str, str]) -> Any:
    """Draw a matplotlib figure. Panels have scales of their own: one axis may matter a hundred times more than
    another.
    """
    from matplotlib.figure import Figure as Drawn

    shown, grid = effects.shown, effects.grid
    heights = [len(names) + 1.0 for names in grid.levels]
    drawn = Drawn(figsize=(7.6, 0.6 + 0.3 * sum(heights) + 0.25 * len(heights)), layout="constrained")
    panels = drawn.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, axis, names, levels in zip(panels, grid.axes, grid.levels, effects.levels, strict=True):
        _draw(panel, shown, named(axis, titles), names, levels)
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
