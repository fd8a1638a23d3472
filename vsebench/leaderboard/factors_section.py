"""The board's section on what each part of a grid contributes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from vsebench.leaderboard.factors import COMBINATIONS, SEEDS, Effect, Grid, change
from vsebench.leaderboard.factors_plot import effects_of, plot_file
from vsebench.leaderboard.headline import Headline
from vsebench.leaderboard.rows import sort_key
from vsebench.leaderboard.snapshot import Snapshot
from vsebench.leaderboard.table import code, escape, table
from vsebench.leaderboard.variance import Deviation, Source, variance_of

TITLE = "## What each part contributes"
#: Axes with more levels show changes from their first level only, instead of every pair.
ALL_PAIRS = 4


def factors_section(snapshot: Snapshot, titles: Mapping[str, str]) -> list[str]:
    """The section; empty for a board without a grid, or whose grid has no two runs that differ in one part alone.

    Args:
        titles: axis -> what heads its column.
    """
    found = effects_of(snapshot)
    if found is None:
        return []
    shown, grid, levels = found
    names = [" + ".join(titles.get(a, escape(a)) for a in axis.split(" + ")) for axis in grid.axes]
    changes = [(axis, a, b, change(grid, axis, a, b)) for axis in range(len(grid.axes)) for a, b in _pairs(grid, axis)]
    lines = [TITLE, "", _preface(snapshot, grid, shown, levels), "", *_levels(grid, names, shown, levels), ""]
    lines += [f"![Effects of each part's levels]({plot_file(snapshot)})", ""]
    read = next((_read(grid, names, shown, *c) for c in reversed(changes) if c[3] is not None), None)
    lines += [f"**Changing one part, all else equal.** {read or ''}".strip(), ""]
    lines += [*_changes(grid, names, shown, changes), "", *_variance(grid, names, shown), ""]
    return lines


def _pairs(grid: Grid, axis: int) -> list[tuple[int, int]]:
    count = len(grid.levels[axis])
    return list(itertools.combinations(range(count), 2)) if count <= ALL_PAIRS else [(0, i) for i in range(1, count)]


def _preface(snapshot: Snapshot, grid: Grid, shown: Headline, levels: Sequence[Sequence[Effect | None]]) -> str:
    overs = {effect.over for axis in levels for effect in axis if effect is not None and effect.half is not None}
    seeds = len({int(s) for s in grid.seeds})
    said = (
        f"Effects on {code(shown.key)}{shown.unit}, from {len(grid.values)} finished runs of the grid "
        f"({seeds} seed{'s' if seeds > 1 else ''}); rows are sorted by {code(sort_key(snapshot)[0])}, and nothing was "
        "chosen by these numbers. A run is compared only with runs of the same other parts and the same seed."
    )
    if SEEDS in overs:
        said += " Intervals (t) come from what seeds change within a combination: how far other seeds would move an "
        said += "effect, on the same test items."
    if COMBINATIONS in overs:
        where = "Where nothing was repeated they are" if SEEDS in overs else "Intervals (t) are"
        said += f" {where} over matched combinations: how far an effect varies from one to another."
    return said + (" Each holds at 95 % by itself, not all at once." if overs else "")


def _levels(grid: Grid, names: Sequence[str], shown: Headline, levels: Sequence[Sequence[Effect | None]]) -> list[str]:
    body = []
    for axis, effects in enumerate(levels):
        for level, effect in zip(grid.levels[axis], effects, strict=True):
            cells = ["–", "0"] if effect is None else [shown.interval(effect.value, effect.half), str(effect.matched)]
            body.append([names[axis], escape(level), *cells])
    return table(["Part", "Level", "Against the mean of the part's levels", "Combinations"], body, left=2)


def _read(
    grid: Grid, names: Sequence[str], shown: Headline, axis: int, old: int, new: int, effect: Effect | None
) -> str:
    assert effect is not None
    part = names[axis][:1].lower() + names[axis][1:]
    return (
        f"For example, changing only the {part} from {escape(grid.levels[axis][old])} to "
        f"{escape(grid.levels[axis][new])} moves {code(shown.key)} by {shown.interval(effect.value, effect.half)}"
        f"{' points' if shown.unit else ''}, over {effect.matched} matched "
        f"combination{'s' if effect.matched > 1 else ''} ({effect.pairs} pairs of runs)."
    )


def _changes(
    grid: Grid, names: Sequence[str], shown: Headline, changes: Sequence[tuple[int, int, int, Effect | None]]
) -> list[str]:
    body = []
    for axis, old, new, effect in changes:
        cells = ["–", "–", "0", "0"]
        if effect is not None:
            ends = f"{shown.signed(effect.low)} … {shown.signed(effect.high)}"
            cells = [shown.interval(effect.value, effect.half), ends, str(effect.matched), str(effect.pairs)]
        body.append([names[axis], escape(grid.levels[axis][old]), escape(grid.levels[axis][new]), *cells])
    header = ["Part", "From", "To", "Change", "Least … most in a combination", "Combinations", "Pairs of runs"]
    return table(header, body, left=3)


def _variance(grid: Grid, names: Sequence[str], shown: Headline) -> list[str]:
    found = variance_of(grid)
    if not found.total:
        return ["All runs have the same value; there is no variance to share out."]
    name = dict(zip(grid.axes, names, strict=True))
    body = []
    for source in found.sources:
        cells = [_share(source.eta2), _share(source.omega2), _p(source.p), _deviation(source, shown)]
        body.append([" × ".join(name[a] for a in source.axes), str(source.freedom), *cells])
    higher = found.residual - found.repeated
    if found.freedom > found.repeats:
        body.append(_rest("Three parts and more", found.freedom - found.repeats, max(higher, 0.0) / found.total))
    if found.repeats:
        body.append(_rest("Seeds", found.repeats, found.repeated / found.total))
    lines = [
        "**Shares of variance** (type II; η² of all variance, ω² without what chance puts there; p of the F test "
        "against the last lines together). Beside a pair of parts stands the pair of levels that deviates most from "
        "the sum of its two levels' effects, its interval corrected (Bonferroni) for having been picked.",
        "",
    ]
    return lines + table(["Source", "df", "η² %", "ω² %", "p", "Largest deviation"], body)


def _rest(title: str, freedom: int, share: float) -> list[str]:
    return [title, str(freedom), _share(share), "–", "–", "–"]


def _share(value: float | None) -> str:
    """In percent; an estimate below zero as zero."""
    return "–" if value is None else f"{100 * max(value, 0.0):.1f}"


def _p(value: float | None) -> str:
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _deviation(source: Source, shown: Headline) -> str:
    largest: Deviation | None = source.largest
    if largest is None:
        return "–" if len(source.axes) == 1 else "not estimable: combinations are missing"
    levels = " × ".join(escape(level) for level in largest.levels)
    return f"{levels} {shown.interval(largest.value, largest.half)}"
