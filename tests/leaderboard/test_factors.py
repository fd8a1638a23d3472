"""Effects of levels, changes of one part: against slow loops, SciPy and statsmodels; grids with nothing to compare."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pytest
from grid_boards import board_of, grid_board, random_grid
from scipy import stats

from vsebench.leaderboard.factors import (
    COMBINATIONS,
    SEEDS,
    Grid,
    change,
    grids_of,
    level_effects,
)

KEY = "test/accuracy"


def slow_differences(grid: Grid, axis: int, old: int, new: int) -> dict[tuple[int, ...], list[float]]:
    """Differences by combination of the other axes, by looking at every pair of runs."""
    result = defaultdict(list)
    runs = list(zip(grid.cells.tolist(), grid.seeds.tolist(), grid.values.tolist(), strict=True))
    for (a, seed_a, value_a), (b, seed_b, value_b) in itertools.product(runs, runs):
        rest_a, rest_b = a[:axis] + a[axis + 1 :], b[:axis] + b[axis + 1 :]
        if a[axis] == old and b[axis] == new and rest_a == rest_b and seed_a == seed_b:
            result[tuple(rest_a)].append(value_b - value_a)
    return result


@pytest.mark.parametrize(("missing", "at"), [(0.0, 0), (0.3, 1), (0.5, 2)])
def test_a_change_is_the_mean_over_matched_runs(missing: float, at: int) -> None:
    grid = random_grid((3, 2, 2), 3, missing=missing, at=at)
    for axis, count in enumerate((3, 2, 2)):
        for old, new in itertools.permutations(range(count), 2):
            by = slow_differences(grid, axis, old, new)
            every = [d for result in by.values() for d in result]
            effect = change(grid, axis, old, new)
            assert effect is not None
            assert (effect.matched, effect.pairs) == (len(by), len(every))
            assert effect.value == pytest.approx(sum(every) / len(every))
            means = [sum(result) / len(result) for result in by.values()]
            assert (effect.low, effect.high) == (pytest.approx(min(means)), pytest.approx(max(means)))
            freedom = sum(len(result) - 1 for result in by.values())
            squares = sum((d - sum(result) / len(result)) ** 2 for result in by.values() for d in result)
            assert effect.over == (SEEDS if freedom else COMBINATIONS)
            if not freedom:  # no combination has two seeds of both levels
                freedom, squares = len(every) - 1, float(np.var(every) * len(every))
            half = stats.t.ppf(0.975, freedom) * math.sqrt(squares / freedom / len(every))
            assert effect.half == pytest.approx(half)


def test_a_change_of_one_combination_or_one_seed_is_a_paired_t_test() -> None:
    for grid, over in ((random_grid((2, 1), 5), SEEDS), (random_grid((2, 6), 1), COMBINATIONS)):
        a, b = (grid.values[grid.cells[:, 0] == level] for level in (0, 1))
        interval = stats.ttest_rel(b, a).confidence_interval(0.95)
        effect = change(grid, 0, 0, 1)
        assert effect is not None
        assert effect.over == over
        assert effect.half is not None
        assert (effect.value - effect.half, effect.value + effect.half) == (
            pytest.approx(interval.low),
            pytest.approx(interval.high),
        )


def test_levels_of_a_complete_grid_are_marginal_means() -> None:
    grid = random_grid((3, 2, 2), 4)
    effects = level_effects(grid, 0)
    cell = grid.cells @ [4, 2, 1]
    left = 0.0
    for b, c in itertools.product(range(2), range(2)):  # within a combination: level + seed, by hand
        selected = (grid.cells[:, 1] == b) & (grid.cells[:, 2] == c)
        square = np.array([[grid.values[selected & (grid.cells[:, 0] == a) & (grid.seeds == s)][0] for s in range(4)]
                           for a in range(3)])  # fmt: skip
        rest = square - square.mean(0) - square.mean(1, keepdims=True) + square.mean()
        left += float((rest**2).sum())
    freedom = 4 * (3 - 1) * (4 - 1)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(left / freedom * (1 - 1 / 3) / (len(cell) / 3))
    for level, effect in enumerate(effects):
        assert effect is not None
        assert effect.value == pytest.approx(grid.values[grid.cells[:, 0] == level].mean() - grid.values.mean())
        assert effect.half == pytest.approx(half)
        assert (effect.matched, effect.pairs, effect.over) == (4, 16, SEEDS)


@pytest.mark.parametrize("missing", [0.0, 0.25])
def test_levels_of_one_seed_are_those_of_a_regression_with_blocks(missing: float) -> None:
    statsmodels = pytest.importorskip("statsmodels.formula.api")
    pandas = pytest.importorskip("pandas")
    grid = random_grid((3, 4, 3), 1, missing=missing, at=3)
    block = grid.cells[:, 1] * 3 + grid.cells[:, 2]
    counts = np.bincount(block, minlength=12)
    keep = counts[block] > 1  # a block of one run says nothing
    data = pandas.DataFrame({"y": grid.values[keep], "level": grid.cells[keep, 0], "block": block[keep]})
    fitted = statsmodels.ols("y ~ C(level, Sum) + C(block)", data).fit()
    for level, effect in enumerate(level_effects(grid, 0)):
        contrast = np.zeros(len(fitted.params))
        at = [i for i, name in enumerate(fitted.params.index) if "level" in name]
        contrast[at] = -1.0 if level == 2 else np.eye(2)[level]
        low, high = fitted.t_test(contrast).conf_int()[0]
        assert effect is not None
        assert effect.half is not None
        assert effect.over == COMBINATIONS
        assert (effect.value - effect.half, effect.value + effect.half) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_of_two_levels_each_is_half_their_change(missing: float) -> None:
    for seeds in (1, 3):
        grid = random_grid((2, 3, 2), seeds, missing=missing, at=7)
        effect, (low, high) = change(grid, 0, 0, 1), level_effects(grid, 0)
        assert effect is not None
        assert low is not None
        assert high is not None
        assert effect.half is not None
        assert (high.value, low.value) == (pytest.approx(effect.value / 2), pytest.approx(-effect.value / 2))
        assert high.half == pytest.approx(effect.half / 2)


def test_intervals_hold_what_they_promise() -> None:
    """Of 400 grids with effects of seeds, about 95 % of the intervals contain the true change."""
    held = {"change": 0, "level": 0}
    for at in range(400):
        generator = np.random.default_rng(at)
        true = generator.normal(size=(2, 3, 2))
        cells = np.array(list(itertools.product(range(2), range(3), range(2))))
        runs = [(c, s) for c in range(len(cells)) for s in range(3) if generator.random() > 0.1]
        of_seed = 5 * generator.normal(size=3)
        values = np.array([true[tuple(cells[c])] + of_seed[s] + generator.normal() for c, s in runs])
        levels = (("x", "y"), ("1", "2", "3"), ("u", "v"))
        grid = Grid(("a", "b", "c"), levels, cells[[c for c, _ in runs]], np.array([s for _, s in runs]), values)
        effect, last = change(grid, 0, 0, 1), level_effects(grid, 0)[1]
        assert effect is not None
        assert last is not None
        assert effect.half is not None
        assert last.half is not None
        # Of the combinations that were matched, weighted by their pairs of runs.
        truth = [
            np.diff(true[:, b, c])[0] for (b, c), entries in slow_differences(grid, 0, 0, 1).items() for _ in entries
        ]
        held["change"] += abs(effect.value - np.mean(truth)) <= effect.half
        held["level"] += abs(last.value - np.mean(truth) / 2) <= last.half
    for count in held.values():
        assert stats.binomtest(count, 400, 0.95).pvalue > 0.01


def test_missing_combinations_do_not_mix_effects() -> None:
    """b is worth 10; a nothing. Where a1 lacks b0, raw means of a differ by 5 and matched ones do not."""
    cells = np.array([[0, 0], [0, 1], [1, 1]])
    grid = Grid(("a", "b"), (("a0", "a1"), ("b0", "b1")), cells, np.zeros(3, int), np.array([0.0, 10.0, 10.0]))
    effect = change(grid, 0, 0, 1)
    assert effect is not None
    assert (effect.value, effect.matched, effect.half) == (0.0, 1, None)
    levels = level_effects(grid, 0)
    assert [e and e.value for e in levels] == [pytest.approx(0.0), pytest.approx(0.0)]


def test_levels_that_no_block_links_have_no_effect() -> None:
    # a0 and a1 share b0, a2 has b1 to itself, a3 and a4 share b2: the first of the largest sets counts.
    cells = np.array([[0, 0], [1, 0], [2, 1], [3, 2], [4, 2]])
    levels = (tuple("vwxyz"), tuple("012"))
    grid = Grid(("a", "b"), levels, cells, np.zeros(5, int), np.array([1.0, 3.0, 9.0, 9.0, 9.0]))
    result = level_effects(grid, 0)
    assert [e and round(e.value, 9) for e in result] == [-1.0, 1.0, None, None, None]
    assert change(grid, 0, 0, 2) is None
    alone = Grid(("a", "b"), (("v", "w"), ("0", "1")), np.eye(2, dtype=int), np.zeros(2, int), np.ones(2))
    assert level_effects(alone, 0) == [None, None]


def test_the_same_cell_with_other_seeds_is_no_match() -> None:
    cells = np.array([[0], [0], [1], [1]])
    grid = Grid(("a",), (("x", "y"),), cells, np.array([0, 1, 2, 3]), np.arange(4.0))
    assert change(grid, 0, 0, 1) is None
    shared = Grid(("a",), (("x", "y"),), cells, np.array([0, 1, 1, 3]), np.arange(4.0))
    effect = change(shared, 0, 0, 1)
    assert effect is not None
    assert (effect.value, effect.pairs, effect.half) == (1.0, 1, None)


AXES = {"fusion": ["concat", "gated"], "attention": ["none", "intra", "inter"]}


def test_a_board_gives_its_grid() -> None:
    board = grid_board(AXES, 2, lambda p, s: 0.1 * len(p["fusion"]) + 0.01 * s)
    (grid,) = grids_of(board, KEY)
    assert grid.axes == ("fusion", "attention")
    assert grid.levels == (("concat", "gated"), ("none", "intra", "inter"))
    for cell, seed, value in zip(grid.cells, grid.seeds, grid.values, strict=True):
        assert value == 0.1 * len(grid.levels[0][cell[0]]) + 0.01 * seed
    assert len(grid.values) == 12


def test_axes_that_change_together_are_one() -> None:
    points = [{"encoder": e, "size": s, "fusion": f} for e, s in (("cnn", "8"), ("vit", "16")) for f in ("sum", "max")]
    (grid,) = grids_of(board_of(points, 1, lambda p, s: 0.5), KEY)
    assert grid.axes == ("encoder + size", "fusion")
    assert grid.levels[0] == ("cnn + 8", "vit + 16")


def test_failed_levels_and_axes_of_one_level_leave_the_grid() -> None:
    board = grid_board(AXES, 1, lambda p, s: "failed" if p["attention"] == "inter" else 0.5)
    (grid,) = grids_of(board, KEY)
    assert grid.levels[1] == ("none", "intra")
    assert grid.without_runs == (("attention", "inter"),)
    board = grid_board(AXES, 1, lambda p, s: "pruned" if p["fusion"] == "gated" else 0.5)
    (grid,) = grids_of(board, KEY)
    assert grid.axes == ("attention",)
    assert grid.without_runs == (("fusion", "gated"),)
    assert grids_of(grid_board(AXES, 1, lambda p, s: "failed"), KEY) == []


def test_rows_with_the_same_axes_are_a_grid() -> None:
    """A level is without runs in the grid where it has none, whatever another grid has."""
    others = [{"fusion": f, "text_encoder": e} for e in ("bow", "lstm") for f in ("gated", "sum")]
    points = [{"fusion": f, "attention": a} for f in AXES["fusion"] for a in AXES["attention"]]

    def outcome(point: Mapping[str, str], seed: int) -> float | str:
        return "failed" if point["fusion"] == "gated" and "attention" in point else 0.1 * len(point["fusion"])

    first, second = grids_of(board_of([*points, *others], 2, outcome), KEY)
    assert (first.axes, first.levels, first.without_runs) == (
        ("attention",),
        (("none", "intra", "inter"),),
        (("fusion", "gated"),),
    )
    assert (second.axes, second.without_runs) == (("fusion", "text_encoder"), ())
    assert second.levels == (("gated", "sum"), ("bow", "lstm"))
    assert (len(first.values), len(second.values)) == (6, 8)


def test_a_search_or_one_level_is_no_grid() -> None:
    board = grid_board(AXES, 1, lambda p, s: 0.5, search={"method": "tpe", "budget": 6, "seed": 0})
    assert grids_of(board, KEY) == []
    assert grids_of(grid_board({"fusion": ["sum"]}, 3, lambda p, s: 0.5), KEY) == []
    assert grids_of(grid_board(AXES, 1, lambda p, s: 0.5), "test/nll") == []
