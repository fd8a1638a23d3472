"""Ranks by counting, in blocks of bounded memory, with ties kept so that every tie rule can be applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vsebench.core.errors import MetricError
from vsebench.ops.draws import some
from vsebench.ops.relevance import RelevantOf

#: A block of scores: small enough to stay near the processor while it is compared.
BLOCK_BYTES = 1 << 25
#: A block of a large gallery: fewer queries at a time would read the whole gallery for each of them.
LARGE_BLOCK_BYTES = 1 << 28
LEAST_ROWS = 64
#: Squares of numbers beyond the first overflow in float32; vectors without a number above the second count as zero.
LARGEST, SMALLEST = 1e15, 1e-12

Similarity = Literal["cosine", "dot", "hamming"]  # of codes of −1 and +1: c − 2·distance, their dot product
ScoreRows = Callable[[slice], np.ndarray]
Direction = Literal["i2t", "t2i"]
#: Of retrieval: an image finds texts, a text finds images.
DIRECTIONS: tuple[Direction, ...] = ("i2t", "t2i")
#: The arrays of :class:`Ranks`, one number a query.
RANK_PARTS = ("above", "tied", "tied_relevant", "relevant")


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
        return some(self.tied, self.tied_relevant, take)

    def first(self) -> np.ndarray:
        """Compute the expected 1-based rank of the first relevant item, float64 (Q,): g + (e + 1) / (r + 1)."""
        return self.above + (self.tied + 1) / (self.tied_relevant + 1)

    def chance_hit(self, k: int) -> float:
        """Compute the chance level: mean over queries of 1 - C(N - R, k) / C(N, k)."""
        size = np.full(len(self.relevant), self.gallery)
        return float(np.mean(some(size, self.relevant, np.minimum(size, k))))


def skipped_queries(entry: str, *ranked: Mapping[str, Ranks]) -> dict[str, float]:
    """Return how many queries a metric leaves out, beside it: ``i2t/skipped/<entry>``, where there are any.

    Args:
        entry: of the metric.
        ranked: direction -> ranks; of several folds, their sum.
    """
    counts = {d: sum(ranks[d].skipped for ranks in ranked) for d in ranked[0]}
    return {f"{d}/skipped/{entry}": float(count) for d, count in counts.items() if count}


def unit(values: np.ndarray) -> np.ndarray:
    """float32 rows of length 1; zero rows stay zero."""
    values = measurable(values.astype(np.float32, copy=False))
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def measurable(values: np.ndarray) -> np.ndarray:
    """Rows whose squares neither overflow nor vanish, of the same directions; all others are left as they are.

    Shape: float32 (n, E) -> (n, E)
    """
    peaks = np.abs(values).max(1, initial=0)
    extreme = ((peaks > LARGEST) | (peaks < SMALLEST)) & (peaks > 0)
    if not extreme.any():
        return values
    return values / np.where(extreme, peaks, np.float32(1))[:, None]


def similarity_rows(query: np.ndarray, gallery: np.ndarray, similarity: Similarity = "cosine") -> ScoreRows:
    """Scores of some queries against the whole gallery, without a copy of the gallery.

    Codes of −1 and +1 (``hamming``) have their inner product, c − 2 · distance, exactly.

    Shape: query (Q, E), gallery (G, E); slice of b queries -> float32 (b, G).
    """
    gallery = gallery.astype(np.float32, copy=False)
    if similarity != "cosine":
        return lambda part: query[part].astype(np.float32, copy=False) @ gallery.T
    gallery = measurable(gallery)
    squares = np.einsum("ge,ge->g", gallery, gallery)
    scale = (1 / np.maximum(np.sqrt(squares), 1e-12)).astype(np.float32)

    def rows(part: slice) -> np.ndarray:
        scores: np.ndarray = unit(query[part]) @ gallery.T
        scores *= scale
        return scores

    return rows


def reranked_rows(first: ScoreRows, candidates: np.ndarray, scores: np.ndarray) -> ScoreRows:
    """Scores that put each query's candidates above all else, in the order of their second scores.

    Args:
        first: scores of the whole gallery, which order what is no candidate.
        candidates: int (Q, K), positions in the gallery.
        scores: (Q, K), second scores of the candidates.

    Shape: slice of b queries -> float64 (b, G).
    """

    def rows(part: slice) -> np.ndarray:
        result = first(part).astype(np.float64)
        again = scores[part].astype(np.float64)
        lift = result.max(1, keepdims=True) - again.min(1, keepdims=True) + 1.0
        np.put_along_axis(result, candidates[part], again + lift, axis=1)
        return result

    return rows


def rank_queries(
    scores_of: ScoreRows, relevant_of: RelevantOf, *, queries: int, gallery: int, block_bytes: int = BLOCK_BYTES
) -> Ranks:
    """Rank a gallery for each query, and note where the best relevant item is.

    Memory: one block of scores of about ``block_bytes`` (of at most ``LARGE_BLOCK_BYTES`` where a gallery is so large
    that the block would have fewer than ``LEAST_ROWS`` queries) and a comparison of it.

    Raises: MetricError naming the first query with a NaN or infinite score.
    """
    relevant, above, tied, tied_relevant = (np.zeros(queries, np.int64) for _ in range(4))
    rows = block_rows(gallery, block_bytes)
    for start in range(0, queries, rows):
        part = slice(start, min(start + rows, queries))
        scores = scores_of(part)
        refuse_not_finite(scores, start)
        result = relevant_of(part)
        relevant[part] = result.counts
        at = np.flatnonzero(result.counts) + start  # the queries that have something to find
        if not len(at):
            continue
        counts = relevant[at]
        first = np.cumsum(counts) - counts
        good = scores[result.rows, result.items]
        best = np.maximum.reduceat(good, first)
        block = scores if len(at) == len(scores) else scores[at - start]
        above[at] = np.count_nonzero(block > best[:, None], axis=1)
        tied[at] = np.count_nonzero(block == best[:, None], axis=1)
        tied_relevant[at] = np.add.reduceat((good == np.repeat(best, counts)).astype(np.int64), first)
    keep = relevant > 0
    above, tied, tied_relevant, relevant = (c[keep] for c in (above, tied, tied_relevant, relevant))
    return Ranks(above, tied, tied_relevant, relevant, gallery=gallery, skipped=int((~keep).sum()))


def block_rows(gallery: int, block_bytes: int) -> int:
    """Return the number of queries of a block."""
    width = 4 * max(1, gallery)
    return max(
        1, block_bytes // width, min(LEAST_ROWS, LARGE_BLOCK_BYTES // width) if block_bytes == BLOCK_BYTES else 0
    )


def refuse_not_finite(scores: np.ndarray, start: int) -> None:
    """Refuse a block whose first query is ``start``.

    Raises: MetricError naming the first query with a NaN or infinite score.
    """
    # A sum is one pass and no block of its own; only where it is not finite is the culprit looked for.
    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = np.flatnonzero(~np.isfinite(scores.sum(1)))
    for row in suspicious:
        if not np.isfinite(scores[row]).all():
            raise MetricError(f"the scores of query {start + row} are NaN or infinite.")


def neighbour_precision(
    values: np.ndarray,
    labels: np.ndarray,
    k: int,
    rerank: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    gallery: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Share of items with a common label among the k nearest others by cosine; ties at the k-th place in expectation.

    An item that has no others has 0.

    ``gallery``: vectors and labels of the items that are looked among, where they are others.

    Shape: (n, E), (n,) or (n, K) -> float64 (n,).
    """
    values = unit(values)
    ranked_gallery, gallery_labels = (values, labels) if gallery is None else (unit(gallery[0]), gallery[1])
    count = len(ranked_gallery)
    k = min(k, count - 1 if gallery is None else count)
    result = np.zeros(len(values))
    if not k:  # a single image has no others
        return result
    rows = block_rows(count, BLOCK_BYTES)
    for start in range(0, len(values), rows):
        index = np.arange(start, min(start + rows, len(values)))
        scores = values[index] @ ranked_gallery.T
        if rerank is not None:
            scores = rerank(index, scores)
        if gallery is None:
            scores[np.arange(len(index)), index] = -np.inf  # an item is not its own neighbour
        if labels.ndim == 1:
            good = labels[index, None] == gallery_labels[None, :]
        else:
            good = labels[index].astype(np.int64) @ gallery_labels.T.astype(np.int64) > 0
        threshold = np.partition(scores, count - k, axis=1)[:, count - k, None]
        above, tied = scores > threshold, scores == threshold
        rest = (k - above.sum(1)) * (good & tied).sum(1) / np.maximum(tied.sum(1), 1)
        result[index] = ((good & above).sum(1) + rest) / k
    return result
