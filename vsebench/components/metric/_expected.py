"""Numbers of ranked lists in expectation over a random order of tied items, in closed form, query by query.

A group of n tied items, r of them relevant, has b items and R_b relevant ones above it; t of its n places are among
the first K. The place b + k of the group holds a relevant item with probability r/n, and above that item the group has
(k - 1)(r - 1)/(n - 1) other relevant ones on average. With L = H(b + t) - H(b), H(i) = Σ_{j <= i} 1/j, the precisions
at the group's relevant items sum up to

    S(r) = (r/n) [(R_b + 1) L + (r - 1)/(n - 1) (t - (b + 1) L)]

(methods 8 for t = n). A sum over the list is the sum over its groups, because each expectation is linear.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from vsebench.components.metric._tie_groups import TieGroups
from vsebench.ops import draws as draws

Denominator = Literal["all", "min", "found"]


def average_precision(groups: TieGroups, cut: np.ndarray, denominator: Denominator) -> np.ndarray:
    """Compute the expected average precision of the first ``cut`` (q,) items, over R, min(K, R) or the hits among them.

    Shape: -> float64 (q,)
    """
    if denominator == "found":
        return _over_found(groups, cut)
    total = groups.total if denominator == "all" else np.minimum(groups.total, cut)
    precisions: np.ndarray = groups.sums(_precisions(groups, cut)) / total
    return precisions


def hits(groups: TieGroups, k: int) -> np.ndarray:
    """Compute the expected number of relevant items among the first k: Σ r t/n. Shape: -> float64 (q,)."""
    return groups.sums(groups.relevant * groups.taken(_everywhere(groups, k)) / groups.size)


def ndcg(groups: TieGroups, k: int) -> np.ndarray:
    """Compute the expected DCG@k over that of the best order.

        DCG = Σ_groups (gain/n) (D(b + t) - D(b)),  best DCG = Σ_v D(min(k, items with a gain of v or more)),
        D(i) = Σ_{j <= i} 1/log2(j + 1)

    The best order is known whatever the ties, so that its DCG is a constant and the quotient's expectation is exact.

    Shape: -> float64 (q,)
    """
    sums = _discounts(groups.gallery)
    taken = groups.taken(_everywhere(groups, k))
    result = groups.sums(groups.gain / groups.size * (sums[groups.above + taken] - sums[groups.above]))
    best: np.ndarray = sums[np.minimum(groups.at_least, k)].sum(1)
    shares: np.ndarray = result / best
    return shares


def _everywhere(groups: TieGroups, k: int) -> np.ndarray:
    return np.full(len(groups), k)


def _precisions(groups: TieGroups, cut: np.ndarray) -> np.ndarray:
    """S of each group: expected sum of the precisions at its relevant items among the first ``cut``."""
    taken = groups.taken(cut)
    return _sum_of_precisions(groups.above, groups.relevant_above, groups.size, groups.relevant, taken, groups.gallery)


def _sum_of_precisions(
    above: np.ndarray, good_above: np.ndarray, size: np.ndarray, good: np.ndarray, taken: np.ndarray, gallery: int
) -> np.ndarray:
    harmonic = _harmonic(gallery)
    length = harmonic[above + taken] - harmonic[above]
    others = (good - 1) / np.maximum(size - 1, 1)
    result: np.ndarray = good / size * ((good_above + 1) * length + others * (taken - (above + 1) * length))
    return result


def _over_found(groups: TieGroups, cut: np.ndarray) -> np.ndarray:
    """Average precision over the relevant items found among the first K; 0 where none is.

    What is found is random in one group alone, the one that K cuts. It has h relevant items in its first t places with
    the hypergeometric probability C(r, h) C(n - r, t - h)/C(n, t); given h, those places are a group of their own, of
    size t with h relevant items, of which all is taken. So E = Σ_h P(h) (S_above + S_t(h)) / (R_b + h).
    """
    taken = groups.taken(cut)
    whole, part = taken == groups.size, (taken > 0) & (taken < groups.size)
    above = groups.sums(np.where(whole, _precisions(groups, cut), 0.0))
    results = groups.sums(np.where(whole, groups.relevant, 0))
    result: np.ndarray = above / np.maximum(results, 1)
    query, t, n, r = (values[part] for values in (groups.query, taken, groups.size, groups.relevant))
    b = groups.above[part]
    expected = np.zeros(len(query))
    for h, likely in enumerate(draws.likely(*(values.astype(np.int64) for values in (n, r, t)))):
        inside = _sum_of_precisions(b, results[query], t, np.full(len(t), h), t, groups.gallery) if h else 0.0
        expected += likely * (above[query] + inside) / np.maximum(results[query] + h, 1)
    result[query] = expected
    return result


@lru_cache(maxsize=2)
def _harmonic(size: int) -> np.ndarray:
    """H(0) … H(size)."""
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, size + 1))])


@lru_cache(maxsize=2)
def _discounts(size: int) -> np.ndarray:
    """D(0) … D(size)."""
    return np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, size + 2)))])
