"""What each component of a grid contributes: levels of one axis compared with all else equal, the seed included.

A *block* is a combination of the other axes together with a seed; only differences within a block count, so that a
grid with failed, pruned or excluded combinations compares what it can and nothing else. Interactions and shares of
variance are in ``variance.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vsebench.runs.snapshot import Snapshot
from vsebench.stats.intervals import LEVEL
from vsebench.stats.rows import RowView, views

Array = NDArray[Any]
Axes = Mapping[str, str]
#: What an interval is taken over: repeated seeds, or, with one seed, the matched combinations.
SEEDS, COMBINATIONS = "seeds", "combinations"


@dataclass(frozen=True)
class Grid:
    """The finished runs of a grid.

    Args:
        axes: those with more than one level. Axes that always change together are one, ``a + b``.
        levels: of each axis, in the order of the experiment file.
        cells: int (N, axes), the level numbers of each run.
        seeds: int (N,).
        values: float (N,), the metric.
        without_runs: (axis, label) of levels that were planned and have no row in the tables: failed, pruned or not
            yet run.
    """

    axes: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    cells: Array
    seeds: Array
    values: Array
    without_runs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Effect:
    """A difference, the half-width of its 95 % interval (None where nothing repeats) and what it rests on.

    Args:
        value: the difference.
        half: of the interval.
        over: ``seeds`` or ``combinations``, what the interval is taken over.
        matched: combinations of the other axes that were compared.
        pairs: blocks, i.e. matched combinations times seeds.
        low, high: the smallest and the largest difference of one matched combination, each the mean over its seeds.
    """

    value: float
    half: float | None
    over: str
    matched: int
    pairs: int
    low: float = math.nan
    high: float = math.nan


def grids_of(snapshot: Snapshot, key: str) -> list[Grid]:
    """Return each grid's finished runs that have a metric: rows with the same axes are a grid. None for a search, nor
    of a grid where fewer than two levels are left.

    Rows with a pruned seed are left out, as in the tables.
    """
    if "method" in snapshot.search:
        return []
    planned: dict[frozenset[str], list[Axes]] = {}
    for row in snapshot.rows:
        if row.section == "sweep" and row.axes:
            planned.setdefault(frozenset(row.axes), []).append(row.axes)
    shown: dict[frozenset[str], list[RowView]] = {}
    for view in views(snapshot, "sweep"):
        shown.setdefault(frozenset(view.row.axes), []).append(view)
    grids = (_grid(points, shown.get(axes, []), key) for axes, points in planned.items())
    return [grid for grid in grids if grid is not None]


def _grid(planned: Sequence[Axes], shown: Sequence[RowView], key: str) -> Grid | None:
    """Return the grid of some planned points, of which some are shown."""
    results = [(view.row.axes, run) for view in shown for run in view.results if key in run.metrics]
    points, runs = [axes for axes, _ in results], [run for _, run in results]
    groups = _together(points, list(planned[0]))
    if not groups:
        return None
    names = tuple(" + ".join(group) for group in groups)
    columns = [_levels(group, points, planned) for group in groups]
    cells = np.array([numbers for _, numbers in columns]).T
    values = np.array([run.metrics[key] for run in runs], dtype=float)
    with_runs = {level for view in shown for level in view.row.axes.items()}
    absent = dict.fromkeys(level for axes in planned for level in axes.items() if level not in with_runs)
    levels = tuple(levels for levels, _ in columns)
    return Grid(names, levels, cells, np.array([run.seed for run in runs]), values, tuple(absent))


def _levels(group: Sequence[str], points: Sequence[Axes], planned: Sequence[Axes]) -> tuple[tuple[str, ...], list[int]]:
    """Levels of the runs on a group of axes, in the order of the plan, and the number of each run's."""
    labels = [" + ".join(axes[axis] for axis in group) for axes in points]
    order = dict.fromkeys(" + ".join(axes[a] for a in group) for axes in planned)
    levels = [label for label in order if label in set(labels)]
    return tuple(levels), [levels.index(label) for label in labels]


def _together(points: Sequence[Any], axes: Sequence[str]) -> list[list[str]]:
    """Axes that vary, those that determine each other in one group: their effects cannot be told apart."""
    groups: list[list[str]] = []
    for axis in axes:
        if len({p[axis] for p in points}) < 2:
            continue
        for group in groups:
            pairs = {(p[group[0]], p[axis]) for p in points}
            if len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}):
                group.append(axis)
                break
        else:
            groups.append([axis])
    return groups


def level_effects(grid: Grid, axis: int) -> list[Effect | None]:
    """Each level's effect: how far it lies from the mean of the axis's levels, all else equal.

        y[level, block] = effect[level] + block + error,  Σ effect = 0

    by least squares (intra-block analysis, Yates 1940): on a complete grid the marginal mean of the level minus the
    grand mean; elsewhere only differences within a block count. The interval is t · σ · |weights of the runs|, with σ
    from what repeated seeds leave within a combination (level + seed taken out); with one seed from what the equation
    above leaves, i.e. from how much the effect varies between combinations.

    Returns: one per level; None where no block links a level with most of the others.
    """
    number = len(grid.levels[axis])
    combination, block = _blocks(grid, axis)
    level = grid.cells[:, axis]
    largest = _linked(level, block, number)
    keep = largest[level] & _shared(block, largest[level])
    result: list[Effect | None] = [None] * number
    if not keep.any():
        return result
    level, combination, block, values = level[keep], combination[keep], block[keep], grid.values[keep]
    dummies = _centred(np.eye(number)[level][:, largest], block)
    weights = np.linalg.pinv(dummies)  # (levels, runs); rows sum to zero within a block
    effects = weights @ values
    left = _centred(values, block) - dummies @ effects
    freedom = len(values) - len(np.unique(block)) - (int(largest.sum()) - 1)
    sigma, degrees, over = _error(combination, block, level, values, float(left @ left), freedom)
    for i, at in enumerate(np.flatnonzero(largest)):
        at_level = level == at
        half = None if sigma is None else t_bound(degrees) * sigma * float(np.linalg.norm(weights[i]))
        count = len(np.unique(combination[at_level]))
        result[at] = Effect(float(effects[i]), half, over, count, int(at_level.sum()))
    return result


def change(grid: Grid, axis: int, old: int, new: int) -> Effect | None:
    """Compute the effect of changing only one axis from a level to another: the mean difference over matched blocks.

        d = mean over blocks of y[new, block] − y[old, block]

    The interval is over seeds: t · s / sqrt(blocks), s² the variance of the differences within a combination, pooled
    over combinations (Σ (seeds − 1) degrees of freedom). With one seed it is over combinations: s² is their variance.

    Returns: None where no combination has both levels with a seed in common.
    """
    combination, block = _blocks(grid, axis)
    level = grid.cells[:, axis]
    sides = [dict(zip(block[level == at], grid.values[level == at], strict=True)) for at in (old, new)]
    matched = sorted(sides[0].keys() & sides[1].keys())
    if not matched:
        return None
    differences = np.array([sides[1][b] - sides[0][b] for b in matched])
    of = dict(zip(block, combination, strict=True))
    combinations = np.array([of[b] for b in matched])
    means = np.array([differences[combinations == c].mean() for c in np.unique(combinations)])
    left = _centred(differences, combinations)
    freedom, over = len(differences) - len(means), SEEDS
    if not freedom:
        left, freedom, over = differences - differences.mean(), len(differences) - 1, COMBINATIONS
    spread = math.sqrt(float(left @ left) / freedom) if freedom else None
    half = None if spread is None else t_bound(freedom) * spread / math.sqrt(len(differences))
    return Effect(
        float(differences.mean()), half, over, len(means), len(differences), float(means.min()), float(means.max())
    )


def t_bound(freedom: int, comparisons: int = 1) -> float:
    """Return the quantile of Student's distribution for a two-sided 95 % interval, Bonferroni-corrected for several."""
    from scipy.stats import t

    return float(t.isf((1 - LEVEL) / 2 / comparisons, freedom))


def _error(
    combination: Array, block: Array, level: Array, values: Array, rest: float, freedom: int
) -> tuple[float | None, int, str]:
    """Return the error's standard deviation, its degrees of freedom, and its source."""
    squares, degrees = 0.0, 0
    for one in np.unique(combination):
        in_combination = combination == one
        columns = np.hstack([_dummies(level[in_combination]), _dummies(block[in_combination])])
        fitted, _, rank, _ = np.linalg.lstsq(columns, values[in_combination], rcond=None)
        left = values[in_combination] - columns @ fitted
        squares, degrees = squares + float(left @ left), degrees + int(in_combination.sum() - rank)
    if degrees:
        return math.sqrt(squares / degrees), degrees, SEEDS
    return (math.sqrt(rest / freedom) if freedom > 0 else None), freedom, COMBINATIONS


def _blocks(grid: Grid, axis: int) -> tuple[Array, Array]:
    """Numbers of each run's combination of the other axes, and of that with its seed."""
    others = np.delete(grid.cells, axis, axis=1)
    _, combination = np.unique(others, axis=0, return_inverse=True)
    _, block = np.unique(np.column_stack([combination.ravel(), grid.seeds]), axis=0, return_inverse=True)
    return combination.ravel(), block.ravel()


def _linked(level: Array, block: Array, number: int) -> Array:
    """Bool (levels,): the largest set of levels that blocks link to each other; the first of equal ones."""
    parent = np.arange(number)
    for one in np.unique(block):
        joined = np.unique(parent[level[block == one]])
        parent[np.isin(parent, joined)] = joined[0]
    sets, sizes = np.unique(parent, return_counts=True)
    return np.asarray((parent == sets[np.argmax(sizes)]) & (sizes.max() > 1))


def _shared(block: Array, inside: Array) -> Array:
    """Bool (runs,): those whose block has another run that takes part."""
    counts = np.bincount(block, weights=inside)
    return np.asarray(counts[block] > 1)


def _centred(values: Array, block: Array) -> Array:
    """Values minus the mean of their block."""
    blocks, at = np.unique(block, return_inverse=True)
    columns = values.reshape(len(values), -1).astype(float)
    sums = np.zeros((len(blocks), columns.shape[1]))
    np.add.at(sums, at, columns)
    return np.asarray((columns - (sums / np.bincount(at)[:, None])[at]).reshape(values.shape))


def _dummies(labels: Array) -> Array:
    return np.asarray(labels[:, None] == np.unique(labels)[None], dtype=float)
