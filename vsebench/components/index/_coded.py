"""What indexes share that rank by codes in the place of vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vsebench.components.index._select import best, exact_scores
from vsebench.components.index.base import Index


class Coded(Index):
    """Rank by codes; with ``rerank``, the best rerank · k of them once more by the vectors themselves.

    A subclass has ``_encode`` (adds), ``_candidates``, ``_code_bytes``, ``_write`` and ``_read_codes``.

    Args:
        dim: D.
        rerank: how many times k candidates are compared with the query itself; the vectors are then kept beside the
            codes. None keeps codes alone.
    """

    def __init__(self, dim: int, rerank: int | None) -> None:
        super().__init__(dim)
        self.rerank = rerank
        self.vectors = np.zeros((0, dim), np.float32)

    @property
    def memory_bytes(self) -> int:
        """Codes, what was learned, ids, and with ``rerank`` the vectors."""
        return self._code_bytes() + self.vectors.nbytes + self.ids.nbytes

    def _add(self, vectors: np.ndarray) -> None:
        self._encode(vectors)
        if self.rerank is not None:
            self.vectors = np.concatenate([self.vectors, vectors]) if len(self.vectors) else vectors

    def _nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        if self.rerank is None:
            return self._candidates(queries, k)
        positions = self._candidates(queries, min(len(self), k * self.rerank))[1]
        return best(exact_scores(queries, self.vectors, positions), positions, self.ids, k)

    def _read(self, folder: Path, vectors: np.ndarray) -> None:
        if self.rerank is not None:
            self.vectors = np.asarray(vectors)
        self._read_codes(folder)

    def _encode(self, vectors: np.ndarray) -> None:
        raise NotImplementedError(type(self).__name__)

    def _candidates(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Scores (Q, k) and positions (Q, k) in any order, by codes; position -1 where fewer were found."""
        raise NotImplementedError(type(self).__name__)

    def _code_bytes(self) -> int:
        raise NotImplementedError(type(self).__name__)

    def _read_codes(self, folder: Path) -> None:
        raise NotImplementedError(type(self).__name__)
