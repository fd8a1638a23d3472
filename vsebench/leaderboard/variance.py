"""A grid's analysis of variance: shares of the axes and of their pairs, and the cells that stand out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vsebench.leaderboard.factors import Array, Grid, t_bound

#: Relative size under which an eigenvalue of the normal equations counts as zero.
_TOLERANCE = 1e-9
#: Share of the total under which a residual sum of squares is rounding.
_NOTHING = 1e-13


@dataclass(frozen=True)
class Deviation:
    """A pair of levels and how far it lies from the sum of its two levels' own effects.

    Args:
        levels: one of each axis.
        value: the deviation.
        half: half-width of its 95 % interval, Bonferroni-corrected for the pairs of levels it was picked from.
    """

    levels: tuple[str, str]
    value: float
    half: float | None


@dataclass(frozen=True)
class Source:
    """A source of variance.

    Args:
        axes: one for a main effect, two for an interaction.
        squares: type II sum of squares.
        freedom: its degrees of freedom.
        eta2: squares / total; the shares add to 1 on a balanced grid only.
        omega2: the same without what chance alone puts there; may be negative. None without a residual.
        p: of the F test against the residual; None without one.
        largest: of an interaction, the pair of levels that deviates most; None where none can be estimated.
    """

    axes: tuple[str, ...]
    squares: float
    freedom: int
    eta2: float
    omega2: float | None
    p: float | None
    largest: Deviation | None = None


@dataclass(frozen=True)
class Variance:
    """The analysis.

    Args:
        sources: axes first, then their pairs.
        total: sum of squares around the mean.
        residual: what axes and pairs leave.
        freedom: of the residual.
        repeated: the part of the residual between seeds of the same combination; the rest is interactions of three
            and more axes.
        repeats: its degrees of freedom; 0 with one seed.
    """

    sources: Sequence[Source]
    total: float
    residual: float
    freedom: int
    repeated: float
    repeats: int


def variance_of(grid: Grid) -> Variance:
    """Analyse y = mean + Σ axes + Σ pairs of axes + error by least squares, with sums of squares of type II.

        SS(A)   = RSS(all terms without A and its pairs) − RSS(those and A)
        SS(A:B) = RSS(all terms but A:B) − RSS(all terms)
        ω²      = (SS − df · MSE) / (total + MSE)

    Each axis is adjusted for all others, so that missing combinations do not mix their effects. Equals
    ``statsmodels.stats.anova.anova_lm(typ=2)`` where every pair of levels occurs; elsewhere degrees of freedom are
    those that the runs leave.

    Example:
        >>> cells = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> grid = Grid(("a", "b"), (("x", "y"), ("u", "v")), cells, np.zeros(4), np.array([0.0, 1.0, 4.0, 5.0]))
        >>> [(s.axes, round(s.eta2, 3)) for s in variance_of(grid).sources]
        [(('a',), 0.941), (('b',), 0.059), (('a', 'b'), 0.0)]
    """
    design = _Design(grid)
    everything = list(design.terms)
    residual, rank = design.fit(everything)
    total = float(((grid.values - grid.values.mean()) ** 2).sum())
    freedom = len(grid.values) - rank
    repeated, repeats = _repeated(grid)
    # Without repeated seeds what higher interactions leave is the error.
    error = (repeated / repeats if repeated > 0 else 0.0, repeats) if repeats else (residual / max(freedom, 1), freedom)
    sources = []
    for term in everything:
        others = [t for t in everything if not set(term) <= set(t)]
        squares, df = _step(design.fit(others), design.fit([*others, term]))
        mse = residual / freedom if freedom else None
        omega2 = None if mse is None or not total else (squares - df * mse) / (total + mse)
        largest = _largest(grid, design, term, error) if len(term) == 2 else None
        names = tuple(grid.axes[i] for i in term)
        p = _p(squares, df, mse, freedom)
        sources.append(Source(names, squares, df, squares / total if total else 0.0, omega2, p, largest))
    return Variance(sources, total, residual, freedom, repeated, repeats)


class _Design:
    """Sum-coded columns of each term, and their normal equations, which all fits share."""

    def __init__(self, grid: Grid) -> None:
        coded = [_coded(len(levels)) for levels in grid.levels]
        axes = range(len(coded))
        self.terms: dict[tuple[int, ...], slice] = {}
        columns, start = [np.ones((len(grid.values), 1))], 1
        for term in [*((i,) for i in axes), *itertools.combinations(axes, 2)]:
            block = coded[term[0]][grid.cells[:, term[0]]]
            if len(term) == 2:
                block = _products(block, coded[term[1]][grid.cells[:, term[1]]])
            columns.append(block)
            self.terms[term] = slice(start, start + block.shape[1])
            start += block.shape[1]
        matrix = np.hstack(columns)
        self.coded = coded
        self.values = grid.values - grid.values.mean()  # the constant is a column: nothing else changes
        self.gram, self.moments = matrix.T @ matrix, matrix.T @ self.values

    def fit(self, terms: Sequence[tuple[int, ...]]) -> tuple[float, int]:
        """Residual sum of squares of the constant and some terms, and the rank of their columns."""
        at = np.r_[0, *(np.arange(self.terms[t].start, self.terms[t].stop) for t in terms)].astype(int)
        inverse, rank = _pinv(self.gram[np.ix_(at, at)])
        moments, total = self.moments[at], float(self.values @ self.values)
        left = total - float(moments @ inverse @ moments)
        return (left if left > _NOTHING * total else 0.0), rank  # what rounding leaves is nothing


def _largest(grid: Grid, design: _Design, term: tuple[int, ...], error: tuple[float, int]) -> Deviation | None:
    """Return the pair of levels with the largest deviation that can be estimated."""
    inverse, _ = _pinv(design.gram)
    columns = design.terms[term]
    a, b = (design.coded[i] for i in term)
    levels = [(x, y) for x in range(len(a)) for y in range(len(b))]
    contrasts = np.zeros((len(levels), len(design.gram)))
    contrasts[:, columns] = [np.outer(a[x], b[y]).ravel() for x, y in levels]
    reached = contrasts @ design.gram @ inverse
    fixed = np.abs(reached - contrasts).max(axis=1) < 1e-6  # others are not determined by the runs there are
    if not fixed.any():
        return None
    result = contrasts @ inverse @ design.moments
    sizes = np.where(fixed, np.abs(result), -1.0)
    at = int(np.argmax(sizes >= sizes.max() * (1 - _TOLERANCE)))  # the first of equals, whatever the rounding
    spread, freedom = error
    size = math.sqrt(max(float(contrasts[at] @ inverse @ contrasts[at]), 0.0) * spread)
    # Of two by two levels all four deviations are one number.
    half = t_bound(freedom, 1 if columns.stop - columns.start == 1 else int(fixed.sum())) * size if freedom else None
    x, y = levels[at]
    return Deviation((grid.levels[term[0]][x], grid.levels[term[1]][y]), float(result[at]), half)


def _repeated(grid: Grid) -> tuple[float, int]:
    """Sum of squares between seeds of the same combination, and its degrees of freedom."""
    _, cell = np.unique(grid.cells, axis=0, return_inverse=True)
    cell = cell.ravel()
    counts = np.bincount(cell)
    means = np.bincount(cell, weights=grid.values) / counts
    return float(((grid.values - means[cell]) ** 2).sum()), int((counts - 1).sum())


def _step(less: tuple[float, int], more: tuple[float, int]) -> tuple[float, int]:
    return max(less[0] - more[0], 0.0), more[1] - less[1]


def _p(squares: float, df: int, mse: float | None, freedom: int) -> float | None:
    from scipy.stats import f

    return float(f.sf(squares / df / mse, df, freedom)) if mse and df else None


def _coded(number: int) -> Array:
    """Sum coding: (levels, levels − 1), every column adds to zero."""
    return np.vstack([np.eye(number - 1), -np.ones(number - 1)])


def _products(a: Array, b: Array) -> Array:
    return np.asarray((a[:, :, None] * b[:, None, :]).reshape(len(a), -1))


def _pinv(gram: Array) -> tuple[Array, int]:
    """Pseudo-inverse of a positive semi-definite matrix, and its rank."""
    values, vectors = np.linalg.eigh(gram)
    keep = values > _TOLERANCE * max(float(values[-1]), 1.0)
    return (vectors[:, keep] / values[keep]) @ vectors[:, keep].T, int(keep.sum())
