"""Hash tables of bit keys, and the order in which neighbouring buckets are looked into."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Table:
    """Vectors by key: those of one bucket stand together.

    Args:
        keys: uint64 (n,), sorted.
        order: int64 (n,), the vectors' positions in the order of their keys.
    """

    keys: np.ndarray
    order: np.ndarray

    @classmethod
    def of(cls, keys: np.ndarray) -> Table:
        """Of the vectors' keys, by position."""
        order = np.argsort(keys, kind="stable")
        return cls(keys[order], order)

    def extended(self, keys: np.ndarray) -> Table:
        """With more vectors behind those that are here."""
        before = np.empty_like(self.keys)
        before[self.order] = self.keys
        return Table.of(np.concatenate([before, keys]))

    def buckets(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where each key's bucket begins and ends in ``order``."""
        return np.searchsorted(self.keys, keys, "left"), np.searchsorted(self.keys, keys, "right")


def to_keys(bits: np.ndarray) -> np.ndarray:
    """Bits as one number. Shape: bool (n, k) with k ≤ 64 -> uint64 (n,)."""
    powers = np.uint64(1) << np.arange(bits.shape[1], dtype=np.uint64)
    words: np.ndarray = np.where(bits, powers, np.uint64(0)).sum(1, dtype=np.uint64)
    return words


def nearest_flips(margins: np.ndarray, count: int) -> list[int]:
    """Return the sets of bits to flip, as numbers: the ``count`` of least total |margin|, ascending, after the empty
    set.

    From the margins in rising order: a set's next ones are the set with its last bit moved by one, and the set with the
    bit after its last one added; no sum gets smaller, so that a heap gives the sets in order (Lv et al. 2007, VLDB).

    Args:
        margins: (k,), how far the query is from each hyperplane, ≥ 0.
        count: sets that are returned.

    Example:
        >>> import numpy as np
        >>> nearest_flips(np.array([0.5, 0.1, 0.2]), 3)  # {}, {1}, {2}, {1, 2}
        [0, 2, 4, 6]
    """
    order = np.argsort(margins, kind="stable").tolist()
    sizes = margins[order].tolist()
    results, heap = [0], [(sizes[0], 0, 1 << order[0])]
    while heap and len(results) < count + 1:
        total, last, flipped = heapq.heappop(heap)
        results.append(flipped)
        if last + 1 < len(order):
            added = flipped | 1 << order[last + 1]
            heapq.heappush(heap, (total + sizes[last + 1], last + 1, added))
            heapq.heappush(heap, (total - sizes[last] + sizes[last + 1], last + 1, added & ~(1 << order[last])))
    return results[: count + 1]
