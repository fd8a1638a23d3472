"""The plot of what each part contributes: a point with its interval per level, all on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from vsebench.core.display import Shown
from vsebench.leaderboard.board import primary_metric
from vsebench.leaderboard.factors import Effect, Grid, grids_of, level_effects
from vsebench.leaderboard.figure import Figure, plot_title
from vsebench.leaderboard.palette import COLOURS, GREY, GRID
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
        titles: axis -> what it is called; its name where there is none.
    """
    shown, grid = effects.shown, effects.grid
    # What the effects are computed from: another machine's linear algebra may round them in another way.
    numbers = [array.tolist() for array in (grid.cells, grid.seeds, grid.values)]
    data = [shown.key, shown.factor, [named(axis, titles) for axis in grid.axes], grid.levels, *numbers]
    alt = "The effect of each level with its interval, all on one scale"
    return Figure(effects.name, alt, data, partial(figure, effects, titles))


def named(axis: str, titles: Mapping[str, str]) -> str:
    """Format an axis by its title; axes that change together by all of theirs."""
    return " + ".join(titles.get(part, part) for part in axis.split(" + "))


def figure(effects: Effects, titles: Mapping[str, str]) -> Any:
    """Draw a matplotlib figure; effects whose interval holds zero, or that have none, are grey."""
    from matplotlib.figure import Figure as Drawn

    shown, grid = effects.shown, effects.grid
    count = sum(len(names) + 1 for names in grid.levels)
    drawn = Drawn(figsize=(7.0, 0.9 + 0.26 * count), layout="constrained")
    axes = drawn.add_subplot()
    axes.axvline(0.0, color=GREY, linewidth=0.8, zorder=1)
    at, ticks = 0, []
    for axis, names, levels in zip(grid.axes, grid.levels, effects.levels, strict=True):
        ticks.append((at, short(named(axis, titles), LONGEST), True))
        for row, (name, effect) in enumerate(zip(names, levels, strict=True), at + 1):
            ticks.append((row, short(name, LONGEST), False))
            _draw(axes, shown, row, effect)
        at += len(names) + 1
    axes.set_yticks([at for at, _, _ in ticks], [text for _, text, _ in ticks], parse_math=False, fontsize=9)
    for label, (_, _, heads) in zip(axes.get_yticklabels(), ticks, strict=True):
        label.set_fontweight("bold" if heads else "normal")
    axes.set_ylim(count - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(True, axis="x", color=GRID, linewidth=0.6, zorder=0)
    unit = " in points" if shown.unit else ""
    plot_title(drawn, _title(effects, titles))
    below = f"Effect on {short(shown.heading)}{unit}, against the mean of the part's levels; grey: not shown"
    drawn.supxlabel(below, fontsize=9, x=0.01, ha="left", parse_math=False)
    return drawn


def is_shown(effect: Effect | None) -> bool:
    """Return whether an effect's interval does not hold zero."""
    return effect is not None and effect.half is not None and abs(effect.value) > effect.half


def _title(effects: Effects, titles: Mapping[str, str]) -> str:
    """Return what the plot says: the largest effect that is shown."""
    clear = [
        (effect.value, named(axis, titles), name)
        for axis, names, levels in zip(effects.grid.axes, effects.grid.levels, effects.levels, strict=True)
        for name, effect in zip(names, levels, strict=True)
        if effect is not None and is_shown(effect)
    ]
    if not clear:
        return "No part's effect is shown"
    value, axis, name = max(clear, key=lambda one: abs(one[0]))
    return f"Largest effect: {short(axis, LONGEST)} {short(name, LONGEST)}, {effects.shown.in_sentence(value, None)}"


def _draw(axes: Any, shown: Shown, at: int, effect: Effect | None) -> None:
    colour = COLOURS[0] if is_shown(effect) else GREY
    if effect is not None:
        half = None if effect.half is None else shown.factor * effect.half
        axes.errorbar(shown.factor * effect.value, at, xerr=half, fmt="o", color=colour, markersize=5, capsize=2.5)
    text = "no match" if effect is None else shown.interval(effect.value, effect.half)
    axes.annotate(text, (1.01, at), xycoords=("axes fraction", "data"), va="center", fontsize=8.5, color=colour)
