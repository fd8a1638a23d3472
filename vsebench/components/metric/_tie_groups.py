"""Where all relevant items of a query stand: in groups of equal scores, found in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vsebench.ops.ranking import BLOCK_BYTES, ScoreRows, block_rows, refuse_not_finite
from vsebench.ops.relevance import Relevant, RelevantOf

#: Pairs of a query and an item that are looked at together, so that queries for which all is relevant need no more
#: memory than a block of scores.
PAIRS = 1 << 20
#: Counting what is above a few scores is faster than sorting the row.
FEW = 8


@dataclass(frozen=True)
class TieGroups:
    """The groups of equal scores that hold relevant items, query by query, each query's best first.

    Queries without a relevant item are left out.

    Args:
        counts: int64 (q,), groups of each query, 1 or more.
        above: int32 (p,), p = counts.sum(), items of the gallery that score higher.
        size: int32 (p,), items of the gallery in the group.
        relevant: int32 (p,), how many of them are relevant, 1 or more.
        gain: int32 (p,), sum of their gains.
        at_least: int64 (q, V), how many items of the gallery have a gain of v or more, v = 1 … V.
        gallery: size of the gallery.
        skipped: queries without a relevant item.
    """

    counts: np.ndarray
    above: np.ndarray
    size: np.ndarray
    relevant: np.ndarray
    gain: np.ndarray
    at_least: np.ndarray
    gallery: int
    skipped: int

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = (self.counts, self.above, self.size, self.relevant, self.gain, self.at_least)
        return sum(values.nbytes for values in arrays)

    @property
    def total(self) -> np.ndarray:
        """int64 (q,): relevant items of each query, R."""
        return self.at_least[:, 0]

    @property
    def query(self) -> np.ndarray:
        """int64 (p,): the query of each group."""
        return np.repeat(np.arange(len(self)), self.counts)

    @property
    def relevant_above(self) -> np.ndarray:
        """int64 (p,): relevant items that score higher than the group's."""
        before = np.cumsum(self.relevant) - self.relevant
        within: np.ndarray = before - np.repeat(before[self._first], self.counts)
        return within

    def taken(self, cut: np.ndarray) -> np.ndarray:
        """int64 (p,): how many places of each group are among its query's first ``cut`` (q,)."""
        places: np.ndarray = np.clip(cut[self.query] - self.above, 0, self.size)
        return places

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum of a number per group over each query's groups. Shape: (p,) -> float64 (q,)."""
        if not len(self):
            return np.zeros(0)
        sums: np.ndarray = np.add.reduceat(values.astype(np.float64), self._first)
        return sums

    def shuffled(self) -> TieGroups:
        """Return the same queries for a random scorer: the whole gallery is one group of ties."""
        count = len(self)
        return TieGroups(
            counts=np.ones(count, np.int64),
            above=np.zeros(count, np.int64),
            size=np.full(count, self.gallery),
            relevant=self.total,
            gain=self.at_least.sum(1),
            at_least=self.at_least,
            gallery=self.gallery,
            skipped=self.skipped,
        )

    @property
    def _first(self) -> np.ndarray:
        first: np.ndarray = np.cumsum(self.counts) - self.counts
        return first


def tie_groups(
    scores_of: ScoreRows, relevant_of: RelevantOf, *, queries: int, gallery: int, block_bytes: int = BLOCK_BYTES
) -> Iterator[TieGroups]:
    """Rank a gallery for some queries at a time, and say where all that is relevant stands.

    Memory: one block of scores, as in :func:`~vsebench.ops.ranking.rank_queries`, and what ``PAIRS`` pairs need.

    Raises: MetricError naming the first query with a NaN or infinite score.
    """
    rows, step = block_rows(gallery, block_bytes), max(1, PAIRS // max(1, gallery))
    for start in range(0, queries, rows):
        scores = scores_of(slice(start, min(start + rows, queries)))
        refuse_not_finite(scores, start)
        for at in range(0, len(scores), step):
            few = scores[at : at + step]
            yield _grouped(few, relevant_of(slice(start + at, start + at + len(few))))


def _grouped(scores: np.ndarray, relevant: Relevant) -> TieGroups:
    rows = relevant.rows
    values = scores[rows, relevant.items]
    order = _best_first(values, relevant.counts)
    values, gains = values[order], relevant.gains[order]
    other = np.ones(len(values), bool)  # a query or a score begins that is not the one before
    other[1:] = (rows[1:] != rows[:-1]) | (values[1:] != values[:-1])
    begins = np.flatnonzero(other)
    counts = np.bincount(rows[begins], minlength=len(scores))
    above, size = np.zeros(len(begins), np.int32), np.zeros(len(begins), np.int32)
    ends = np.cumsum(counts)
    for row in np.flatnonzero(counts):
        part = slice(ends[row] - counts[row], ends[row])
        above[part], size[part] = _placed(scores[row], values[begins[part]])
    most = int(gains.max(initial=1))
    at_least = np.stack([np.bincount(rows[gains >= v], minlength=len(scores)) for v in range(1, most + 1)], axis=1)
    keep = relevant.counts > 0
    return TieGroups(
        counts=counts[keep],
        above=above,
        size=size,
        relevant=np.diff(begins, append=len(values)).astype(np.int32),
        gain=(np.add.reduceat(gains, begins) if len(begins) else np.zeros(0)).astype(np.int32),
        at_least=at_least[keep],
        gallery=scores.shape[1],
        skipped=int((~keep).sum()),
    )


def _best_first(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the order that sorts each query's values, falling. Shape: (P,), (b,) -> int64 (P,)."""
    order = np.arange(len(values))
    ends = np.cumsum(counts)
    for row in np.flatnonzero(counts > 1):  # row by row: one sort of all by two keys takes ten times as long
        part = slice(ends[row] - counts[row], ends[row])
        order[part] = part.start + np.argsort(-values[part])
    return order


def _placed(row: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many scores of a row are above each value, and how many equal it. Shape: (G,), (v,) -> (v,), (v,)."""
    if len(values) <= FEW:
        above = [np.count_nonzero(row > value) for value in values]
        return np.array(above), np.array([np.count_nonzero(row == value) for value in values])
    ordered = np.sort(row)
    up_to = np.searchsorted(ordered, values, "right")
    return len(row) - up_to, up_to - np.searchsorted(ordered, values, "left")
