"""Splits by rule: stratified, whole groups, seeded.

The VSE source splits 80/20 into train and validation and still reports test numbers; ours halves the 20 %.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

FRACTIONS: Mapping[str, float] = {"train": 0.8, "val": 0.1, "test": 0.1}


def make_splits(
    labels: np.ndarray, groups: np.ndarray, *, fractions: Mapping[str, float] = FRACTIONS, seed: int = 0
) -> dict[str, np.ndarray]:
    """Divide items so that every class has its share in every split and no group is divided.

    A group counts for its most frequent class. Within a class the groups are shuffled, the large ones first, and each
    goes to the split that lacks most of its share of items, so that sizes are right to within a group.

    Args:
        labels: int (n,), or uint8 (n, K) for multi-label data, where the rarest label of an item stands for it.
        groups: int (n,).
        fractions: split -> share; their sum is 1.
        seed: of the shuffle.

    Returns: split -> sorted positions, int64.

    Raises: ValueError if the fractions do not sum to 1 or the lengths differ.
    """
    if abs(sum(fractions.values()) - 1) > 1e-9 or min(fractions.values()) < 0:
        raise ValueError(f"fractions must be >= 0 and sum to 1. Got {dict(fractions)} instead.")
    if len(labels) != len(groups):
        raise ValueError(f"{len(labels)} labels but {len(groups)} groups.")
    rng = np.random.Generator(np.random.PCG64(seed))
    strata = _strata(np.asarray(labels))
    _, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    group_class = _group_classes(strata, group_of, len(sizes))
    names = list(fractions)
    numbers = range(len(names))
    share = [float(fractions[n]) for n in names]
    chosen = np.zeros(len(sizes), dtype=np.int64)
    total = [0.0] * len(names)  # items given to each split so far, over all classes
    everything = 0
    for stratum in np.unique(group_class):
        members = np.flatnonzero(group_class == stratum)
        members = rng.permutation(members)
        members = members[np.argsort(-sizes[members], kind="stable")]
        goal = [part * int(sizes[members].sum()) for part in share]
        given = [0.0] * len(names)
        for group, size in zip(members.tolist(), sizes[members].tolist(), strict=True):
            # Equal lacks (small classes) are settled by the whole dataset's balance.
            best = max(numbers, key=lambda s: (round(goal[s] - given[s], 9), share[s] * (everything + size) - total[s]))
            chosen[group] = best
            given[best] += size
            total[best] += size
            everything += size
    split_of = chosen[group_of]
    return {name: np.flatnonzero(split_of == s).astype(np.int64) for s, name in enumerate(names)}


def some_items(groups: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the rows of whole groups, drawn at random, that hold at most so many items.

    A larger ``count`` has the groups of a smaller one and others, so that learning curves of one seed are nested.

    Args:
        groups: int (n,).
        count: most items.
        seed: of the draw.

    Returns: sorted rows, int64.

    Example:
        >>> some_items(np.array([0, 0, 1, 1, 2, 2]), 5, seed=0).tolist() in ([0, 1, 2, 3], [0, 1, 4, 5], [2, 3, 4, 5])
        True
    """
    _, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(sizes))
    chosen = order[np.cumsum(sizes[order]) <= count]
    return np.flatnonzero(np.isin(group_of, chosen)).astype(np.int64)


def _strata(labels: np.ndarray) -> np.ndarray:
    if labels.ndim == 1:
        return labels
    frequency = labels.sum(0)
    rarity = np.where(labels > 0, frequency[None, :], np.iinfo(np.int64).max)
    return np.where(labels.any(1), rarity.argmin(1), labels.shape[1])


def _group_classes(strata: np.ndarray, group_of: np.ndarray, count: int) -> np.ndarray:
    classes, strata = np.unique(strata, return_inverse=True)
    votes = np.zeros((count, len(classes)), dtype=np.int64)
    np.add.at(votes, (group_of, strata), 1)
    return votes.argmax(1)
