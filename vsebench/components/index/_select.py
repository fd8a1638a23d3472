"""The best of some candidates, and their scores by the vectors themselves."""

from __future__ import annotations

import numpy as np

#: Numbers that candidates' vectors are gathered into at a time: 64 MiB of float32.
GATHERED = 1 << 24


def best(scores: np.ndarray, positions: np.ndarray, ids: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``k`` candidates of greatest score of each row, in any order; of equal ones those of smaller id stay.

    Args:
        scores: of the candidates, larger is better.
        positions: of the candidates, -1 (with score -inf) where there is none.
        ids: of all vectors, by position.
        k: candidates that stay of each row.

    Shape: (Q, C), (Q, C) -> (Q, min(k, C)), (Q, min(k, C)).
    """
    if scores.shape[1] <= k:
        return scores, np.ascontiguousarray(positions)
    columns = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    least = np.take_along_axis(scores, columns, 1).min(1)
    for row in np.flatnonzero((scores >= least[:, None]).sum(1) > k):
        # More than k are as good as the k-th: of equal ones those of smaller id stay.
        good = np.flatnonzero(scores[row] >= least[row])
        columns[row] = good[np.lexsort((ids[positions[row, good]], -scores[row, good]))[:k]]
    return np.take_along_axis(scores, columns, 1), np.take_along_axis(positions, columns, 1)


def exact_scores(queries: np.ndarray, vectors: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Products of each query with its candidates; -inf where the position is -1.

    Shape: (Q, D), (n, D), int64 (Q, C) -> float32 (Q, C).
    """
    scores = np.full(positions.shape, -np.inf, np.float32)
    step = max(1, GATHERED // max(1, positions.shape[1] * vectors.shape[1]))
    for start in range(0, len(queries) if positions.size else 0, step):
        part = slice(start, start + step)
        gathered = vectors[positions[part]]  # (step, C, D)
        scores[part] = (gathered @ queries[part, :, None])[:, :, 0]
    return np.where(positions >= 0, scores, np.float32(-np.inf))
