"""Shares of variance: against statsmodels' type II table, and grids that leave nothing over."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from grid_boards import random_grid
from scipy import stats

from vsebench.leaderboard.factors import Grid
from vsebench.leaderboard.variance import variance_of


@pytest.mark.parametrize(
    ("shape", "seeds", "missing", "at"),
    [((3, 2), 3, 0.0, 0), ((3, 2), 4, 0.3, 1), ((2, 3, 2), 2, 0.0, 2), ((3, 3, 2), 2, 0.2, 3),
     ((2, 2, 2, 2), 1, 0.0, 4), ((4,), 5, 0.2, 5)],
)  # fmt: skip
def test_agrees_with_statsmodels(shape: tuple[int, ...], seeds: int, missing: float, at: int) -> None:
    smf = pytest.importorskip("statsmodels.formula.api")
    pandas = pytest.importorskip("pandas")
    from statsmodels.stats.anova import anova_lm

    grid = random_grid(shape, seeds, missing=missing, at=at)
    data = pandas.DataFrame({"y": grid.values, **{name: grid.cells[:, i] for i, name in enumerate(grid.axes)}})
    terms = [f"C({a}, Sum)" for a in grid.axes]
    pairs = [f"{a}:{b}" for a, b in itertools.combinations(terms, 2)]
    table = anova_lm(smf.ols("y ~ " + " + ".join(terms + pairs), data).fit(), typ=2)
    variance = variance_of(grid)
    assert len(variance.sources) == len(table) - 1
    for source in variance.sources:
        line = table.loc[":".join(f"C({a}, Sum)" for a in source.axes)]
        assert (source.squares, source.freedom) == (pytest.approx(line["sum_sq"]), line["df"])
        assert source.p == pytest.approx(line["PR(>F)"])
        mean_square = table.loc["Residual", "sum_sq"] / table.loc["Residual", "df"]
        total = ((grid.values - grid.values.mean()) ** 2).sum()
        assert source.omega2 == pytest.approx((line["sum_sq"] - line["df"] * mean_square) / (total + mean_square))
        assert source.eta2 == pytest.approx(line["sum_sq"] / total)
    assert (variance.residual, variance.freedom) == (
        pytest.approx(table.loc["Residual", "sum_sq"]),
        table.loc["Residual", "df"],
    )


def test_seeds_and_higher_interactions_share_the_residual() -> None:
    grid = random_grid((2, 3, 2), 3)
    variance = variance_of(grid)
    within = 0.0
    for cell in np.unique(grid.cells, axis=0):
        selected = grid.values[(grid.cells == cell).all(axis=1)]
        within += float(((selected - selected.mean()) ** 2).sum())
    assert (variance.repeated, variance.repeats) == (pytest.approx(within), 12 * 2)
    assert variance.freedom - variance.repeats == (2 - 1) * (3 - 1) * (2 - 1)
    assert sum(s.squares for s in variance.sources) + variance.residual == pytest.approx(variance.total)  # balanced


def test_the_largest_deviation_is_found_with_its_interval() -> None:
    grid = random_grid((3, 4), 3, at=6)
    means = np.array([[grid.values[(grid.cells == [a, b]).all(axis=1)].mean() for b in range(4)] for a in range(3)])
    apart = means - means.mean(0) - means.mean(1, keepdims=True) + means.mean()
    a, b = np.unravel_index(np.abs(apart).argmax(), apart.shape)
    variance = variance_of(grid)
    largest = variance.sources[-1].largest
    assert largest is not None
    assert largest.levels == (f"a{a}", f"b{b}")
    assert largest.value == pytest.approx(apart[a, b])
    spread = variance.repeated / variance.repeats * (1 - 1 / 3) * (1 - 1 / 4) / 3
    assert largest.half == pytest.approx(stats.t.isf(0.025 / 12, variance.repeats) * np.sqrt(spread))


def test_of_equal_deviations_the_first_is_named() -> None:
    """Of two by two levels all four deviate alike; rounding does not choose among them."""
    cells = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    for at in range(20):
        grid = Grid(("a", "b"), (("x", "y"), ("u", "v")), cells, np.zeros(4), np.random.default_rng(at).normal(size=4))
        largest = variance_of(grid).sources[-1].largest
        assert largest is not None
        assert largest.levels == ("x", "u")
        assert largest.half is None  # one run each: nothing to judge it by

    corners = np.outer([1.0, 0.0, -1.0], [1.0, 0.0, -1.0])  # its four corners deviate alike
    cells = np.array(list(itertools.product(range(3), range(3))))
    for at in range(20):
        generator = np.random.default_rng(at)
        values = (corners + generator.normal(size=(3, 1)) + generator.normal(size=3)).ravel()
        largest = (
            variance_of(Grid(("a", "b"), (tuple("xyz"), tuple("uvw")), cells, np.zeros(9), values)).sources[-1].largest
        )
        assert largest is not None
        assert largest.levels == ("x", "u")


def test_missing_pairs_of_levels_are_not_estimated() -> None:
    cells = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [2, 0]])
    grid = Grid(("a", "b"), (("x", "y", "z"), ("u", "v")), cells, np.zeros(5), np.array([0.0, 1, 4, 5, 7]))
    variance = variance_of(grid)
    assert [s.freedom for s in variance.sources] == [2, 1, 1]
    assert variance.sources[-1].largest is None
    assert variance.freedom == 0
    assert [s.p for s in variance.sources] == [None, None, None]
    assert [s.omega2 for s in variance.sources] == [None, None, None]


def test_rounding_is_no_residual() -> None:
    cells = np.array(list(itertools.product(range(2), range(2), range(2))))
    grid = Grid(tuple("abc"), (("0", "1"),) * 3, cells, np.zeros(8), 0.7 + cells @ [0.1, 0.03, 0.0])
    variance = variance_of(grid)
    assert variance.residual == 0.0
    assert [s.p for s in variance.sources] == [None] * 6
    assert [round(s.eta2, 6) for s in variance.sources] == [0.917431, 0.082569, 0, 0, 0, 0]
    flat = Grid(tuple("abc"), (("0", "1"),) * 3, cells, np.zeros(8), np.full(8, 0.7))
    assert variance_of(flat).total == 0.0
