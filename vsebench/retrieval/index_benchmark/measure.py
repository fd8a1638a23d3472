"""What one index does on given vectors: recall, speed, bytes, building time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vsebench.components.index.base import Index
from vsebench.components.index.flat import Flat
from vsebench.core.registry import INDEXES

#: Of a cosine, to be that of the k-th nearest: rounding of float32 sums.
TOLERANCE = 1e-6
#: A speed is the best of so many passes, or of as many as begin within so many seconds.
PASSES, WITHIN_S = 3, 1.0
#: Queries one at a time are asked for so long in a pass, at least so many of them.
SINGLE_S, SINGLE_LEAST = 0.5, 10
#: Version of the numbers below; results of two versions do not share a board.
VERSION = 1


def exact(gallery: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """Compute the truth: cosines of the ``k`` nearest, best first, by comparison with every vector.

    Shape: (n, D), (Q, D) -> float32 (Q, k).
    """
    index = Flat(gallery.shape[1])
    index.add(np.arange(len(gallery)), gallery)
    return _cosines(gallery, queries, index.search(queries, k)[1])


def recalls(
    result: np.ndarray, gallery: np.ndarray, queries: np.ndarray, truth: np.ndarray, k: int
) -> dict[str, float]:
    """Return how much of the exact answer is among the first ``k`` found.

        recall@k   = mean_q |{i ∈ found_k(q): ⟨q, x_i⟩ ≥ c_k(q)}| / k
        1-recall@k = mean_q [some i ∈ found_k(q) has ⟨q, x_i⟩ ≥ c_1(q)]

    c_k(q) is the cosine of the exact k-th nearest: of vectors that are equally near, any may be found.

    Args:
        result: int64 (Q, ≥ k), positions, best first; -1 where none was found.
        gallery: unit vectors (n, D).
        queries: unit vectors (Q, D).
        truth: float32 (Q, ≥ k), of :func:`exact`.
        k: how many of the first count.

    Example:
        >>> gallery = np.eye(3, dtype=np.float32)
        >>> query = np.array([[0.8, 0.6, 0.0]], np.float32)
        >>> recalls(np.array([[1, 2]]), gallery, query, exact(gallery, query, 2), 2)
        {'recall@2': 0.5, '1-recall@2': 0.0}
    """
    cosines = _cosines(gallery, queries, result[:, :k])
    among = (cosines >= truth[:, k - 1 : k] - TOLERANCE).sum(1) / k
    nearest = (cosines >= truth[:, :1] - TOLERANCE).any(1)
    return {f"recall@{k}": float(among.mean()), f"1-recall@{k}": float(nearest.mean())}


def measure(
    name: str,
    options: Mapping[str, Any],
    gallery: np.ndarray,
    queries: np.ndarray,
    truth: np.ndarray,
    ks: Sequence[int],
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, float]:
    """Build an index and ask it.

    Returns ``recall@k``, ``1-recall@k``, queries per second with all queries at once (``qps@k``) and one at a time
    (``qps@k:single``) for each k; ``train_s`` and ``add_s``; ``memory_bytes``, ``bytes_per_vector`` (all of it, divided
    by the number of vectors) and ``code_bytes`` (what an added vector takes, without its id).

    Args:
        name: of the index.
        options: of the index.
        gallery: unit vectors (n, D).
        queries: unit vectors (Q, D).
        truth: of :func:`exact`, for the largest k.
        ks: for which recall is computed.
        say: told a line for each step.
    """
    say("building")
    index: Index = INDEXES.build(name, options, dim=gallery.shape[1])
    begin = time.perf_counter()
    index.train(gallery)
    trained = time.perf_counter()
    before = index.memory_bytes
    index.add(np.arange(len(gallery)), gallery)
    added = time.perf_counter()
    memory, count = index.memory_bytes, len(gallery)
    numbers: dict[str, float] = {
        "train_s": trained - begin,
        "add_s": added - trained,
        "memory_bytes": memory,
        "bytes_per_vector": memory / count,
        "code_bytes": (memory - before - index.ids.nbytes) / count,
    }
    for k in sorted(ks):
        say(f"k {k}")
        result, seconds = _timed(lambda k=k: index.search(queries, k)[1])  # type: ignore[misc]
        numbers |= recalls(result, gallery, queries, truth, k)
        numbers[f"qps@{k}"] = len(queries) / seconds
        numbers[f"qps@{k}:single"] = _one_at_a_time(index, queries, k)
    return numbers


def _cosines(gallery: np.ndarray, queries: np.ndarray, result: np.ndarray) -> np.ndarray:
    """Exact cosines of what was found; -inf where nothing was."""
    cosines = np.empty(result.shape, np.float32)
    for row, ids in enumerate(result):
        cosines[row] = np.where(ids >= 0, gallery[ids] @ queries[row], -np.inf)
    return cosines


def _timed(search: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """Return the result of a search, and the seconds of its fastest pass."""
    result, best, spent = np.zeros(0, np.int64), float("inf"), 0.0
    for _ in range(PASSES):
        begin = time.perf_counter()
        result = search()
        seconds = time.perf_counter() - begin
        best, spent = min(best, seconds), spent + seconds
        if spent > WITHIN_S:
            break
    return result, best


def _one_at_a_time(index: Index, queries: np.ndarray, k: int) -> float:
    """Return the queries per second when each is asked alone."""
    best = 0.0
    for _ in range(2):
        begin, count = time.perf_counter(), 0
        for row in range(len(queries)):
            index.search(queries[row : row + 1], k)
            count += 1
            if count >= SINGLE_LEAST and time.perf_counter() - begin > SINGLE_S:
                break
        best = max(best, count / (time.perf_counter() - begin))
    return best
