"""Codes of −1 and +1 by Hamming distance: counted in blocks, never sorted, and never more than a block in memory.

A code is packed into words of 64 bits. The distance of two codes is the number of ones in the exclusive or of their
words, and a query's whole list, ties and all, is two histograms over the distances 0 … c: of all items, and of the
relevant ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vsebench.components.metric._tie_groups import TieGroups
from vsebench.core.errors import MetricError
from vsebench.ops.relevance import MatchesOf

WORD = 64
#: Pairs of a query and an item that are compared together: a word of each pair takes 1 MiB and stays near the
#: processor.
PAIRS = 1 << 17
#: Items of a gallery that are compared together with some queries.
COLUMNS = 1 << 15


def check_codes(values: np.ndarray, what: str) -> None:
    """Refuse what is no code.

    Raises: MetricError naming the first item with another number than −1 and +1.
    """
    for start in range(0, len(values), COLUMNS):
        bad = np.flatnonzero((np.abs(values[start : start + COLUMNS]) != 1).any(1))
        if len(bad):
            raise MetricError(f"{what} ranked by Hamming distance are −1 and +1; item {start + bad[0]} has others.")


def pack(codes: np.ndarray) -> np.ndarray:
    """Words of 64 bits, a bit for each +1. Shape: (n, c) -> uint64 (n, ⌈c/64⌉)."""
    words = -(-codes.shape[1] // WORD)
    packed = np.zeros((len(codes), 8 * words), np.uint8)
    for start in range(0, len(codes), COLUMNS):
        part = np.packbits(codes[start : start + COLUMNS] > 0, axis=1)
        packed[start : start + COLUMNS, : part.shape[1]] = part
    return packed.view(np.uint64)


def distances(query: np.ndarray, gallery: np.ndarray, bits: int) -> np.ndarray:
    """Hamming distances of packed codes. Shape: uint64 (b, w), (g, w) -> uint8 or, above 255 bits, uint16 (b, g)."""
    total: np.ndarray = np.bitwise_count(query[:, :1] ^ gallery[:, 0])
    if bits > np.iinfo(np.uint8).max:
        total = total.astype(np.uint16)
    for word in range(1, query.shape[1]):
        total += np.bitwise_count(query[:, word, None] ^ gallery[:, word])
    return total


@dataclass(frozen=True, eq=False)
class Counts:
    """How many items of a gallery are at each distance of each query.

    Args:
        total: int64 (Q, c + 1), all of them.
        relevant: int64 (Q, c + 1), the relevant ones.
        gallery: size of the gallery.
    """

    total: np.ndarray
    relevant: np.ndarray
    gallery: int

    @property
    def bits(self) -> int:
        """c, the length of a code."""
        return int(self.total.shape[1]) - 1

    @property
    def with_relevant(self) -> np.ndarray:
        """bool (Q,): the queries that have a relevant item."""
        return np.asarray(self.relevant.sum(1) > 0)

    def within(self) -> tuple[np.ndarray, np.ndarray]:
        """Items, and relevant items, within each radius 0 … c of the queries that have a relevant item.

        Shape: int64 (q, c + 1), int64 (q, c + 1)
        """
        return self.total[self.with_relevant].cumsum(1), self.relevant[self.with_relevant].cumsum(1)

    def tie_groups(self) -> TieGroups:
        """Group ties by distance: the items at a distance are one group. Any relevant item has a gain of 1."""
        with_relevant = self.with_relevant
        total, relevant = self.total[with_relevant], self.relevant[with_relevant]
        query, distance = np.nonzero(relevant)
        above = total.cumsum(1) - total
        good = relevant[query, distance]
        return TieGroups(
            counts=np.bincount(query, minlength=len(total)),
            above=above[query, distance],
            size=total[query, distance],
            relevant=good,
            gain=good,
            at_least=relevant.sum(1, keepdims=True),
            gallery=self.gallery,
            skipped=int((~with_relevant).sum()),
        )


@dataclass(frozen=True, eq=False)
class CodePairs:
    """Every query with every item of a gallery.

    Args:
        query: uint64 (Q, w), packed.
        gallery: uint64 (G, w), packed.
        bits: c.
        matches: which items of a slice of the gallery are relevant to a slice of the queries.
    """

    query: np.ndarray
    gallery: np.ndarray
    bits: int
    matches: MatchesOf

    def counts(self) -> Counts:
        """Count by distance. Memory: the counts, and a block of ``PAIRS`` pairs."""
        width = self.bits + 1
        total, relevant = (np.zeros((len(self.query), width), np.int64) for _ in range(2))
        rows = max(1, PAIRS // min(COLUMNS, max(1, len(self.gallery))))
        for first in range(0, len(self.gallery), COLUMNS):
            columns = slice(first, min(first + COLUMNS, len(self.gallery)))
            for start in range(0, len(self.query), rows):
                part = slice(start, min(start + rows, len(self.query)))
                for row, key in enumerate(self._keys(part, columns), start=start):
                    result = np.bincount(key, minlength=2 * width)
                    total[row] += result[:width] + result[width:]
                    relevant[row] += result[width:]
        return Counts(total, relevant, len(self.gallery))

    def _keys(self, part: slice, columns: slice) -> np.ndarray:
        """Each pair's distance, and c + 1 more where the item is relevant."""
        result = distances(self.query[part], self.gallery[columns], self.bits)
        kind = np.uint8 if 2 * self.bits + 1 <= np.iinfo(np.uint8).max else np.uint32
        good: np.ndarray = self.matches(part, columns).astype(kind)
        good *= kind(self.bits + 1)
        good += result
        return good

    def in_order(self) -> Iterator[np.ndarray]:
        """Query by query, the 1-based places of its relevant items: by distance, ties in the gallery's order.

        Distances are small integers, which are sorted by counting them. Memory: some arrays of one query's items.

        Shape: int64 (R_q,), rising; empty for a query without a relevant item.
        """
        for row in range(len(self.query)):
            part = slice(row, row + 1)
            result, good = (np.empty(len(self.gallery), kind) for kind in (np.uint16, bool))
            for first in range(0, len(self.gallery), COLUMNS):
                columns = slice(first, first + COLUMNS)
                result[columns] = distances(self.query[part], self.gallery[columns], self.bits)[0]
                good[columns] = self.matches(part, columns)[0]
            yield np.flatnonzero(good[np.argsort(result, kind="stable")]) + 1
