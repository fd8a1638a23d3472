"""The board's section on what each part of a grid contributes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from vsebench.core.display import Shown
from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.factors import COMBINATIONS, SEEDS, Effect, Grid, change
from vsebench.leaderboard.factors_plot import Effects, effects_of, factors_figure, named
from vsebench.leaderboard.page import Block, Section, Table, code, plain_table, strong
from vsebench.leaderboard.titles import AXIS_TITLES
from vsebench.leaderboard.variance import Deviation, Source, Variance, variance_of
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.rows import sort_key

PLACE = 40
TITLE = "Contribution of each part"
#: Axes with more levels show changes from their first level only, instead of every pair.
ALL_PAIRS = 4


def sections(board: BoardData) -> list[Section]:
    """Return the section, with a part for each grid where there are several; none for a board without a grid: of
    systems alone, or of a search, which changes several parts.
    """
    grids = effects_of(board.snapshot)
    if len(grids) < 2:
        return [Section(TITLE, _blocks(board.snapshot, effects)) for effects in grids]
    parts = [
        Section(" × ".join(_names(effects.grid)), _blocks(board.snapshot, effects), f"{len(effects.grid.values)} runs")
        for effects in grids
    ]
    return [Section(TITLE, parts, f"{len(grids)} grids")]


def _names(grid: Grid) -> list[str]:
    return [named(axis, AXIS_TITLES) for axis in grid.axes]


def _blocks(snapshot: Snapshot, effects: Effects) -> list[Block]:
    """Return what is said of a grid."""
    if not effects.exist:
        return [
            "No two finished runs of the grid differ in one part alone with the same seed: no effect can be estimated."
        ]
    shown, grid, names = effects.shown, effects.grid, _names(effects.grid)
    blocks: list[Block] = [_preface(snapshot, grid, shown, effects.levels), *_incomplete(grid)]
    blocks += [factors_figure(effects, AXIS_TITLES), *_levels(grid, names, shown, effects.levels)]
    return [*blocks, *_changes(grid, names, shown), *_variance(grid, names, shown)]


def _preface(snapshot: Snapshot, grid: Grid, shown: Shown, levels: Sequence[Sequence[Effect | None]]) -> str:
    overs = {effect.over for axis in levels for effect in axis if effect is not None and effect.half is not None}
    seeds = len({int(s) for s in grid.seeds})
    key, mode = sort_key(snapshot)
    message = (
        f"Effects on {code(shown.key)}{shown.unit}{' (lower is better)' if mode == 'min' else ''}, from "
        f"{len(grid.values)} finished runs of the grid ({seeds} seed{'s' if seeds > 1 else ''}). A run is compared "
        f"only with runs that have the same other parts and seed. Rows are sorted by {code(key)}: no choice was based "
        "on these numbers."
    )
    if SEEDS in overs:
        message += " Intervals (t) use the variation over seeds within a combination: how much other "
        message += "seeds would change an effect, on the same test items."
    if COMBINATIONS in overs:
        where = "Without repetitions they are" if SEEDS in overs else "Intervals (t) are"
        message += f" {where} over matched combinations: how far an effect varies from one to another."
    return message + (" Each covers 95 % individually, not jointly." if overs else " No repetitions, so no intervals.")


def _incomplete(grid: Grid) -> list[str]:
    """Return a note on the cells of the grid that are missing."""
    lines = []
    filled, all_of = len(np.unique(grid.cells, axis=0)), math.prod(len(names) for names in grid.levels)
    if filled < all_of:
        lines.append(f"{filled} of the {all_of} combinations of these levels have a finished run.")
    gone = [f"{named(axis, AXIS_TITLES)} {label}" for axis, label in grid.without_runs]
    if gone:
        lines.append(f"Omitted, because no run has finished: {', '.join(gone)}.")
    return [" ".join(lines)] if lines else []


def _levels(grid: Grid, names: Sequence[str], shown: Shown, levels: Sequence[Sequence[Effect | None]]) -> list[Table]:
    """Return main effects of parts with three levels and more; of two, each is half of their change."""
    body = []
    for axis, effects in enumerate(levels):
        for level, effect in zip(grid.levels[axis], effects, strict=True):
            if len(effects) > 2:
                cells = (
                    ["–", "0"] if effect is None else [shown.interval(effect.value, effect.half), str(effect.matched)]
                )
                body.append([names[axis], level, *cells])
    header = ["Part", "Level", "Against the mean of the part's levels", "Combinations"]
    return [plain_table(header, body, left=2)] if body else []


def _pairs(grid: Grid, axis: int) -> list[tuple[int, int]]:
    count = len(grid.levels[axis])
    return list(itertools.combinations(range(count), 2)) if count <= ALL_PAIRS else [(0, i) for i in range(1, count)]


def _changes(grid: Grid, names: Sequence[str], shown: Shown) -> list[Block]:
    """Return a line for each pair of levels, the last one that can be compared read out above."""
    body, read = [], ""
    for axis, name in enumerate(names):
        for old, new in _pairs(grid, axis):
            effect = change(grid, axis, old, new)
            start, end = grid.levels[axis][old], grid.levels[axis][new]
            cells = ["–", "–", "0"]
            if effect is not None:
                ends = f"{shown.signed(effect.low)} … {shown.signed(effect.high)}" if effect.matched > 1 else "–"
                pairs = f" ({effect.pairs})" if effect.pairs > effect.matched else ""
                cells = [shown.interval(effect.value, effect.half), ends, f"{effect.matched}{pairs}"]
                read = (
                    f" For example, changing only the {name[:1].lower()}{name[1:]} from {start} to {end}, all else "
                    f"equal: {shown.in_sentence(effect.value, effect.half)}, {effect.matched} matched "
                    f"combination{'s' if effect.matched > 1 else ''}."
                )
            body.append([name, start, end, *cells])
    count = "Combinations (pairs of runs)" if len(np.unique(grid.seeds)) > 1 else "Combinations"
    header = ["Part", "From", "To", "Change", "Range over combinations", count]
    return [f"{strong('Changing one part alone.')}{read}", plain_table(header, body, left=3)]


def _variance(grid: Grid, names: Sequence[str], shown: Shown) -> list[Block]:
    variance = variance_of(grid)
    if not variance.total:
        return ["All runs have the same value; there is no variance to decompose."]
    if not variance.freedom and len(grid.axes) == 1:
        return []  # one part, one run of each level: all variance is that part's, or chance
    name = dict(zip(grid.axes, names, strict=True))
    body = []
    for source in variance.sources:
        shares = [_share(source.eta2), _share(source.omega2), _p(source.p)] if source.freedom else ["–", "–", "–"]
        body.append([" × ".join(name[a] for a in source.axes), str(source.freedom), *shares, _deviation(source, shown)])
    if variance.freedom > variance.repeats:
        higher = max(variance.residual - variance.repeated, 0.0) / variance.total
        body.append(["Three parts and more", str(variance.freedom - variance.repeats), _share(higher), "–", "–", "–"])
    if variance.repeats:
        body.append(["Seeds", str(variance.repeats), _share(variance.repeated / variance.total), "–", "–", "–"])
    header = ["Source", "df", "η² %", "ω² %", "p", "Largest deviation"]
    remaining = [i for i in range(len(header)) if any(row[i] != "–" for row in body)]
    rows = [[row[i] for i in remaining] for row in body]
    return [_reading(variance), plain_table([header[i] for i in remaining], rows)]


def _reading(variance: Variance) -> str:
    """Explain the numbers of the table."""
    message = f"{strong('Shares of variance')} (type II): η² of all variance"
    if variance.freedom:
        rest = "the last rows pooled" if 0 < variance.repeats < variance.freedom else "the last row"
        message += f", ω² corrected for chance, p of the F test against {rest}."
    else:
        message += ". With one run per combination, interactions cannot be separated from chance."
    picked = [source.largest for source in variance.sources if source.largest is not None]
    if picked:
        message += " For a pair of parts: the levels whose joint effect differs most from the sum of their effects"
        bounded = any(deviation.half is not None for deviation in picked)
        message += ", with an interval corrected (Bonferroni) for this selection." if bounded else "."
    return message


def _share(value: float | None) -> str:
    """In percent; an estimate below zero as zero."""
    return "–" if value is None else f"{round(100 * max(value, 0.0), 9):.1f}"


def _p(value: float | None) -> str:
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{round(value, 9):.3f}"


def _deviation(source: Source, shown: Shown) -> str:
    largest: Deviation | None = source.largest
    if largest is None:
        return "–" if len(source.axes) == 1 else "not estimable: combinations are missing"
    levels = " × ".join(level for level in largest.levels)
    return f"{levels} {shown.interval(largest.value, largest.half)}"
