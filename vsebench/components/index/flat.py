"""Comparison with every vector."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vsebench.components.index._select import best
from vsebench.components.index.base import Index
from vsebench.core.registry import INDEXES

#: Scores computed at a time: 64 MiB of float32.
BLOCK = 1 << 24
QUERIES = 256


@INDEXES.register("flat", source="exhaustive search; methods 7", exact=True)
class Flat(Index):
    """Compare a query with every vector.

        hits(q) = the k largest of ⟨q, x_i⟩, i = 1 … n, equal ones by smaller id

    In blocks, so that memory does not grow with the number of queries or vectors. The vectors may lie in a memory map.

    Args:
        dim: D, size of a vector (wired).

    Shape: queries (Q, D) -> scores and ids (Q, min(k, n)).

    Example:
        >>> index = Flat(2)
        >>> index.add(np.array([7, 3, 5]), np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]]))
        >>> index.search(np.array([[1.0, 1.0]]), 2)[1].tolist()
        [[3, 5]]
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.vectors = np.zeros((0, dim), np.float32)

    @property
    def memory_bytes(self) -> int:
        """Vectors and ids."""
        return self.vectors.nbytes + self.ids.nbytes

    def _add(self, vectors: np.ndarray) -> None:
        self.vectors = np.concatenate([self.vectors, vectors]) if len(self.vectors) else vectors

    def _nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        parts = [self._of_block(queries[i : i + QUERIES], k) for i in range(0, len(queries), QUERIES)]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def _of_block(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Best of each block of vectors, merged with the best so far."""
        scores = np.zeros((len(queries), 0), np.float32)
        positions = np.zeros((len(queries), 0), np.int64)
        step = max(1, BLOCK // max(1, len(queries)))
        for start in range(0, len(self.vectors), step):
            block = queries @ self.vectors[start : start + step].T  # (Q, step)
            here = np.broadcast_to(np.arange(start, start + block.shape[1]), block.shape)
            if scores.shape[1]:
                block, here = np.concatenate([scores, block], 1), np.concatenate([positions, here], 1)
            scores, positions = best(block, here, self.ids, k)
        return scores, positions

    def _write(self, folder: Path) -> None:
        return  # the vectors are the caller's, and given again to load

    def _read(self, folder: Path, vectors: np.ndarray) -> None:
        self.vectors = np.asarray(vectors)
