"""Indexes: vectors that are searched, kept apart from what they are vectors of."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vsebench.core.errors import ConfigError

IDS = "ids.npy"


class Index:
    """Keep vectors and find those of greatest cosine with a query.

    Constructed with the wired ``dim``, the size of a vector. Vectors and queries are scaled to unit length here,
    so that callers need not; a zero vector stays zero and scores 0 with everything.

    A subclass has ``_train``, ``_add``, ``_nearest``, ``_write``, ``_read`` and ``memory_bytes``; positions count the
    vectors in the order in which they were added, ids are the callers'. One that must be trained sets ``needs``.

    Attributes:
        dim: D.
        ids: int64 (n,), of the vectors in the order in which they were added.
        needs: the fewest vectors that it learns from; 0 where it learns nothing.
        learns: what it learns, for messages.
        trained: whether it did.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.ids = np.zeros(0, np.int64)
        self.needs = 0
        self.learns = ""
        self.trained = False

    def __len__(self) -> int:
        return len(self.ids)

    def train(self, vectors: np.ndarray) -> None:
        """Learn what the index needs to know of its vectors before they are added; some need nothing.

        Shape: (n, D).

        Raises: ConfigError for fewer vectors than it needs; ValueError for a wrong shape, values that are not finite,
            or an index that learns and has vectors already.
        """
        rows = self._unit(vectors)
        if self.needs and len(self):
            raise ValueError(f"it learns {self.learns} before vectors are added; {len(self)} are in it already.")
        if len(rows) < self.needs:
            raise ConfigError(f"this index learns {self.learns} from at least {self.needs} vectors. Got {len(rows)}.")
        self._train(rows)
        self.trained = True

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Add vectors under ids.

        Shape: int64 (n,), (n, D).

        Raises: ValueError for a wrong shape, values that are not finite, an id that is there already, or an index that
            was not trained and needs it.
        """
        if self.needs and not self.trained:
            raise ValueError(f"this index learns {self.learns}: call train() before add().")
        rows, new = self._unit(vectors), np.asarray(ids, dtype=np.int64)
        if new.shape != (len(rows),):
            raise ValueError(f"{len(rows)} vectors need as many ids. Got shape {new.shape}.")
        if len(np.unique(np.concatenate([self.ids, new]))) != len(self) + len(new):
            raise ValueError("an id is added twice.")
        self._add(rows)
        self.ids = np.concatenate([self.ids, new])

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the ``k`` vectors of greatest cosine, the best first, equal ones by smaller id; all where there are
        fewer.

        An approximate index may find fewer: the rest has id -1 and score -inf.

        Shape: (Q, D) -> scores float32 (Q, min(k, n)), ids int64 (Q, min(k, n)).

        Raises: ValueError for a wrong shape, values that are not finite, or k < 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1. Got {k}.")
        rows, wanted = self._unit(queries), min(k, len(self))
        if not wanted:
            return np.zeros((len(rows), 0), np.float32), np.zeros((len(rows), 0), np.int64)
        scores, positions = self._nearest(rows, wanted)
        result = np.where(positions >= 0, self.ids[positions], -1)
        scores = np.where(result >= 0, scores, -np.inf).astype(np.float32)
        order = np.lexsort((result, -scores), axis=-1)
        return np.take_along_axis(scores, order, -1), np.take_along_axis(result, order, -1)

    def save(self, folder: Path) -> None:
        """Write what ``load`` needs besides the vectors themselves into a new folder."""
        folder.mkdir(parents=True)
        np.save(folder / IDS, self.ids)
        self._write(folder)

    def load(self, folder: Path, vectors: np.ndarray) -> None:
        """Become the index that was saved. ``vectors``: the unit vectors that were added, which may be a memory map; an
        index that keeps them as they are takes them from here."""
        ids = np.load(folder / IDS, allow_pickle=False)
        if vectors.shape != (len(ids), self.dim):
            raise ValueError(f"the index holds {len(ids)} vectors of {self.dim}. Got shape {vectors.shape}.")
        self._read(folder, vectors)
        self.ids, self.trained = ids, True

    @property
    def memory_bytes(self) -> int:
        """Bytes that the index holds, ids included."""
        raise NotImplementedError(type(self).__name__)

    def _unit(self, vectors: np.ndarray) -> np.ndarray:
        if vectors.ndim != 2 or vectors.shape[1] != self.dim:
            raise ValueError(f"vectors must be (n, {self.dim}). Got shape {vectors.shape}.")
        return unit_rows(vectors)

    def _train(self, vectors: np.ndarray) -> None:
        return

    def _add(self, vectors: np.ndarray) -> None:
        raise NotImplementedError(type(self).__name__)

    def _nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Scores (Q, k) and positions (Q, k) in any order, 1 ≤ k ≤ n; position -1 where fewer were found."""
        raise NotImplementedError(type(self).__name__)

    def _write(self, folder: Path) -> None:
        raise NotImplementedError(type(self).__name__)

    def _read(self, folder: Path, vectors: np.ndarray) -> None:
        raise NotImplementedError(type(self).__name__)


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Each row divided by its length, float32 and contiguous; zero rows stay zero.

    Raises: ValueError for values that are not finite.

    Example:
        >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    if not np.isfinite(rows).all():
        raise ValueError("vectors must be finite.")
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
