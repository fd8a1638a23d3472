"""Probabilities of draws without replacement, against exact fractions, for any size of a gallery."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from vsebench.components.metric._expected import average_precision
from vsebench.components.metric._tie_groups import TieGroups
from vsebench.ops.draws import likely, some
from vsebench.ops.ranking import Ranks

CASES = [
    (10, 3, 4), (10, 3, 8), (1, 1, 1), (5, 0, 3), (5, 5, 1), (7, 2, 0), (100_000, 1, 1), (100_000, 5, 10),
    (100_000, 30_000, 10), (10_000_000, 1, 1), (10_000_000, 5, 10), (10_000_000, 7, 1_000), (10_000_000, 2_000, 1_000),
    (1_000_000_000, 3, 10), (4_000, 1_500, 1_000),
]  # fmt: skip


def exact(n: int, r: int, t: int, h: int) -> Fraction:
    return Fraction(math.comb(r, h) * math.comb(n - r, t - h) if t >= h else 0, math.comb(n, t))


@pytest.mark.parametrize(("n", "r", "t"), CASES)
def test_the_chance_of_some_good_one(n: int, r: int, t: int) -> None:
    result = some(*(np.array([value]) for value in (n, r, t)))[0]
    assert result == pytest.approx(float(1 - exact(n, r, t, 0)), rel=1e-13, abs=0)


@pytest.mark.parametrize(("n", "r", "t"), CASES)
def test_the_chance_of_each_number_of_good_ones(n: int, r: int, t: int) -> None:
    arrays = [np.array([value]) for value in (n, r, t)]
    for h, result in zip(range(12), likely(*arrays), strict=False):
        assert result[0] == pytest.approx(float(exact(n, r, t, h)), rel=1e-10, abs=1e-300)
    if min(r, t) < 50:
        assert sum(result[0] for result in likely(*arrays)) == pytest.approx(1.0, rel=1e-12)


def test_nothing_drawn_has_no_sign() -> None:
    result = some(np.array([5, 5]), np.array([0, 2]), np.array([3, 0]))
    assert result.tolist() == [0.0, 0.0]
    assert not np.signbit(result).any()


def test_many_at_once() -> None:
    rng = np.random.default_rng(0)
    n = rng.integers(1, 60, 300)
    r, t = rng.integers(0, n + 1), rng.integers(0, n + 1)
    result = some(n, r, t)
    each = list(likely(n, r, t))
    for i in range(300):
        numbers = int(n[i]), int(r[i]), int(t[i])
        assert result[i] == pytest.approx(float(1 - exact(*numbers, 0)), rel=1e-13, abs=1e-15)
        for h, one in enumerate(each):
            assert one[i] == pytest.approx(float(exact(*numbers, h)), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("gallery", [1_000, 100_000, 10_000_000])
def test_a_constant_scorer_is_at_chance_in_a_gallery_of_any_size(gallery: int) -> None:
    one = np.ones(3, np.int64)
    ranks = Ranks(0 * one, gallery * one, np.array([1, 5, 40]), np.array([1, 5, 40]), gallery=gallery, skipped=0)
    exactly = [1 - Fraction(math.comb(gallery - r, 10), math.comb(gallery, 10)) for r in (1, 5, 40)]
    assert ranks.hit(10) == pytest.approx([float(f) for f in exactly], rel=1e-13, abs=0)
    assert ranks.chance_hit(10) == pytest.approx(float(sum(exactly) / 3), rel=1e-13, abs=0)


def test_the_average_precision_of_what_is_found_in_a_large_tie() -> None:
    size, relevant, k = 1_000_000, 3, 5
    values = (np.array([v]) for v in (1, 0, size, relevant, relevant))
    groups = TieGroups(*values, at_least=np.array([[relevant]]), gallery=size, skipped=0)
    total = Fraction(0)
    for h in range(1, relevant + 1):  # the precisions at h places drawn among k sum up, and are divided by h
        places = sum(Fraction(1, k) * h * (1 + Fraction((i - 1) * (h - 1), k - 1)) / i for i in range(1, k + 1))
        total += exact(size, relevant, k, h) * places / h
    result = average_precision(groups, np.array([k]), "found")[0]
    assert result == pytest.approx(float(total), rel=1e-9, abs=0)
