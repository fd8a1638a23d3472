"""Ranks by counting, in blocks of bounded memory, with ties kept so that every tie rule can be applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from vsebench.errors import MetricError

BLOCK_BYTES = 1 << 28


@dataclass(frozen=True)
class Ranks:
    """Where each query's best relevant item stands. Queries without a relevant item are left out.

    Args:
        above: int64 (Q,), items that score higher than the best relevant one.
        tied: int64 (Q,), items with its score, itself included.
        tied_relevant: int64 (Q,), how many of them are relevant.
        relevant: int64 (Q,), relevant items in the gallery.
        gallery: size of the gallery.
        skipped: queries without a relevant item.
    """

    above: np.ndarray
    tied: np.ndarray
    tied_relevant: np.ndarray
    relevant: np.ndarray
    gallery: int
    skipped: int

    def hit(self, k: int) -> np.ndarray:
        """P(a relevant item is among the first k) under a random order of tied items, float64 (Q,).

        1 - C(e - r, j) / C(e, j), j = clip(k - g, 0, e) (McSherry and Najork 2008).
        """
        take = np.clip(k - self.above, 0, self.tied)
        return 1 - _miss(self.tied, self.tied_relevant, take)

    def first(self) -> np.ndarray:
        """Expected 1-based rank of the first relevant item, float64 (Q,): g + (e + 1) / (r + 1)."""
        return self.above + (self.tied + 1) / (self.tied_relevant + 1)

    def chance_hit(self, k: int) -> float:
        """What a random order reaches: mean over queries of 1 - C(N - R, k) / C(N, k)."""
        size = np.full(len(self.relevant), self.gallery)
        return float(np.mean(1 - _miss(size, self.relevant, np.minimum(size, k))))


def _miss(total: np.ndarray, good: np.ndarray, take: np.ndarray) -> np.ndarray:
    """C(total - good, take) / C(total, take): no good one among ``take`` of ``total`` drawn without replacement."""
    possible = total - good >= take
    bad = np.where(possible, total - good, take)
    log = gammaln(bad + 1.0) - gammaln(bad - take + 1.0) - gammaln(total + 1.0) + gammaln(total - take + 1.0)
    return np.where(possible, np.exp(log), 0.0)


def unit(values: np.ndarray) -> np.ndarray:
    """float32 rows of length 1; zero rows stay zero."""
    values = values.astype(np.float32, copy=False)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def rank_queries(
    query: np.ndarray,
    gallery: np.ndarray,
    query_groups: np.ndarray,
    gallery_groups: np.ndarray,
    *,
    block_bytes: int = BLOCK_BYTES,
) -> Ranks:
    """Rank a gallery for each query by cosine; relevant is what has the query's group.

    Memory: one block of scores of at most ``block_bytes`` and its comparisons.

    Shape: query (Q, E), gallery (G, E), groups (Q,), (G,).

    Raises: MetricError naming the first query with a NaN or infinite score.
    """
    query, gallery = unit(query), unit(gallery)
    rows = max(1, block_bytes // (4 * max(1, len(gallery))))
    found: list[tuple[np.ndarray, ...]] = []
    for start in range(0, len(query), rows):
        part = slice(start, start + rows)
        scores = query[part] @ gallery.T
        if not np.isfinite(scores).all():
            bad = start + int(np.flatnonzero(~np.isfinite(scores).all(1))[0])
            raise MetricError(f"the scores of query {bad} are NaN or infinite.")
        relevant = query_groups[part, None] == gallery_groups[None, :]
        best = np.where(relevant, scores, -np.inf).max(1, keepdims=True)
        equal = scores == best
        counts = ((scores > best).sum(1), equal.sum(1), (equal & relevant).sum(1), relevant.sum(1))
        found.append(counts)
    above, tied, tied_relevant, relevant_count = (np.concatenate(c) for c in zip(*found, strict=True))
    kept = relevant_count > 0
    above, tied, tied_relevant, relevant_count = (
        c[kept].astype(np.int64) for c in (above, tied, tied_relevant, relevant_count)
    )
    return Ranks(above, tied, tied_relevant, relevant_count, gallery=len(gallery), skipped=int((~kept).sum()))


def neighbour_precision(
    values: np.ndarray,
    labels: np.ndarray,
    k: int,
    rerank: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Share of items with a common label among the k nearest others by cosine; ties at the k-th place in expectation.

    Shape: (n, E), (n,) or (n, K) -> float64 (n,).
    """
    values = unit(values)
    count = len(values)
    k = min(k, count - 1)
    result = np.zeros(count)
    rows = max(1, BLOCK_BYTES // (4 * max(1, count)))
    for start in range(0, count, rows):
        index = np.arange(start, min(start + rows, count))
        scores = values[index] @ values.T
        if rerank is not None:
            scores = rerank(index, scores)
        scores[np.arange(len(index)), index] = -np.inf  # an item is not its own neighbour
        if labels.ndim == 1:
            good = labels[index, None] == labels[None, :]
        else:
            good = labels[index].astype(np.int64) @ labels.T.astype(np.int64) > 0
        threshold = np.partition(scores, count - k, axis=1)[:, count - k, None]
        above, tied = scores > threshold, scores == threshold
        rest = (k - above.sum(1)) * (good & tied).sum(1) / np.maximum(tied.sum(1), 1)
        result[index] = ((good & above).sum(1) + rest) / k
    return result
