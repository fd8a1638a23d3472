"""Slow, obvious loops for metrics of ranked lists: every order of the tied items, one after the other."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

Value = Callable[[Sequence[int]], float]  # gains along a list, from its first item on -> a number


@cache
def lists(scores: tuple[float, ...], gains: tuple[int, ...]) -> Counter[tuple[int, ...]]:
    """The gains along every order of the items that the scores allow, and how many orders give them."""
    result: Counter[tuple[int, ...]] = Counter()
    for order in itertools.permutations(range(len(scores))):
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order)):
            result[tuple(gains[i] for i in order)] += 1
    return result


def expected(scores: np.ndarray, gains: np.ndarray, value: Value) -> float:
    """Mean over the queries that have a relevant item of the mean over all orders."""
    means = []
    for query in range(len(scores)):
        if any(gains[query]):
            result = lists(tuple(scores[query].tolist()), tuple(gains[query].tolist()))
            means.append(sum(count * value(one) for one, count in result.items()) / result.total())
    return float(np.mean(means))


def sum_of_precisions(gains: Sequence[int], k: int) -> float:
    total, result = 0.0, 0
    for place, gain in enumerate(gains[:k], start=1):
        if gain:
            result += 1
            total += result / place
    return total


def relevant(gains: Sequence[int], k: int | None = None) -> int:
    return sum(gain > 0 for gain in (gains if k is None else gains[:k]))


def ap(gains: Sequence[int]) -> float:
    return sum_of_precisions(gains, len(gains)) / relevant(gains)


def ap_at_r(gains: Sequence[int]) -> float:
    return sum_of_precisions(gains, relevant(gains)) / relevant(gains)


def ap_at(k: int, over: str) -> Value:
    def value(gains: Sequence[int]) -> float:
        divisor = {"all": relevant(gains), "min": min(k, relevant(gains)), "found": relevant(gains, k)}[over]
        return sum_of_precisions(gains, k) / divisor if divisor else 0.0

    return value


def ndcg_at(k: int) -> Value:
    def dcg(gains: Sequence[int]) -> float:
        return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains[:k], start=1))

    return lambda gains: dcg(gains) / dcg(sorted(gains, reverse=True))


def precision_at(k: int) -> Value:
    return lambda gains: relevant(gains, k) / min(k, len(gains))


def set_recall_at(k: int) -> Value:
    return lambda gains: relevant(gains, k) / relevant(gains)
