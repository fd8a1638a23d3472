"""A balanced part of a grid, as designed experiments take it: any two levels of any two axes together equally often."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from random import Random

from vsebench.core.errors import ConfigError

Point = tuple[int, ...]  # a level's position on each axis
_TRIES = 200  # random weights, after equal ones


def balanced_part(levels: Sequence[int], share: Fraction, seed: int, names: Sequence[str]) -> set[Point]:
    """Draw a part of a grid in which every pair of levels of two axes appears equally often.

    With q the denominator, a point belongs to the class Σ_i w_i π_i(x_i) mod q, of random permutations π_i of the
    levels, or to one of such sums modulo each prime of q; the part is as many of the q classes as the numerator says.
    Weights w that give balance are searched for, and the balance is counted (a regular fractional factorial design;
    Box and Hunter 1961, Technometrics 3).

    Args:
        levels: number of levels of each axis.
        share: of the points, in (0, 1).
        seed: of permutations and classes.
        names: of the axes, for the message.

    Raises: ConfigError where no such part exists or none is found.

    Example:
        >>> sorted(balanced_part([2, 2, 2], Fraction(1, 2), 1, "abc")) in (
        ...     [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)], [(0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 1, 1)])
        True
    """
    if not 0 < share < 1:
        raise ConfigError(f"'fraction' must lie between 0 and 1. Got {share}.")
    _refuse_impossible(levels, share, names)
    rng = Random(seed)
    order = [rng.sample(range(n), n) for n in levels]
    classes = set(rng.sample(range(share.denominator), share.numerator))
    points = list(itertools.product(*(range(n) for n in levels)))
    for attempt in range(_TRIES):
        # A class is a number of as many digits as there are sums: one modulo q, or one modulo each prime of q.
        moduli = [share.denominator] if attempt % 2 == 0 else _primes(share.denominator)
        weights = [[1 if attempt == 0 else rng.randrange(m) for _ in levels] for m in moduli]
        part = set()
        for point in points:
            number = 0
            for modulus, row in zip(moduli, weights, strict=True):
                total = sum(w * o[x] for w, o, x in zip(row, order, point, strict=True))
                number = number * modulus + total % modulus
            if number in classes:
                part.add(point)
        if len(part) == share * len(points) and is_balanced(part, levels):
            return part
    raise ConfigError(
        f"no balanced part of {share} was found in this grid. For every two axes a third one is needed whose number of "
        f"values is a multiple of {share.denominator}. Choose another fraction, or leave it out."
    )


def is_balanced(part: set[Point], levels: Sequence[int]) -> bool:
    """Return whether any two levels of any two axes appear together equally often."""
    for i, j in itertools.combinations(range(len(levels)), 2):
        counts = Counter((point[i], point[j]) for point in part)
        if len(counts) != levels[i] * levels[j] or len(set(counts.values())) > 1:
            return False
    return True


def _primes(number: int) -> list[int]:
    """Return the prime factors of a number, each as often as it divides it."""
    result, factor = [], 2
    while number > 1:
        while number % factor == 0:
            result.append(factor)
            number //= factor
        factor += 1
    return result


def _refuse_impossible(levels: Sequence[int], share: Fraction, names: Sequence[str]) -> None:
    total = 1
    for n in levels:
        total *= n
    size = share * total
    if len(levels) < 3:
        raise ConfigError("'fraction' needs three axes or more: of two, only the whole grid has every pair of levels.")
    for i, j in itertools.combinations(range(len(levels)), 2):
        pairs = levels[i] * levels[j]
        if size % pairs:
            raise ConfigError(
                f"'fraction' {share} of the grid's {total:,} points is {float(size):g}, which cannot hold each of the "
                f"{pairs} pairs of '{names[i]}' and '{names[j]}' equally often. Choose another fraction, or leave it "
                "out."
            )
