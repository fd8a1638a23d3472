"""Tree of boxes, split at medians."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Gt

from vsebench.components.index._boxes import Boxes
from vsebench.components.index._select import best, exact_scores
from vsebench.components.index.base import Index
from vsebench.core.registry import INDEXES

#: Of a leaf.
LEAF = 10
QUERIES = 256
#: Distances within this share of the k-th are taken to be equal to it, and all of them compared.
SLACK = 1e-5


@INDEXES.register("kd_tree", source="Bentley 1975, CACM 18(9); Beis and Lowe 1997, CVPR; methods 7")
class KDTree(Index):
    """Halve vectors at medians until ten are left, and look into the boxes nearest to the query.

        split: at the median of the dimension in which a box is widest, down to 10 vectors
        ‖q − x‖² = ‖q‖² + 1 − 2 ⟨q, x⟩ for a unit vector: the nearest are those of greatest cosine

    Without ``max_leaves`` a search goes on until no box can hold a nearer vector, and is exact; with it, it stops after
    so many leaves, those whose boxes are nearest to the query (best bin first).

    Above some 20 dimensions nearly every leaf is visited (``visited_leaves`` counts them), and ``flat`` is faster.

    SciPy's ``KDTree`` builds the tree and searches it to the end. Leaves are counted and ``max_leaves`` is kept here,
    for many queries at a time, on the tree that it has built. A zero vector has a coordinate of its own, 1 in the place
    of 0, so that it is as far away as its cosine of 0 says.

    Args:
        dim: D, size of a vector (wired).
        max_leaves: leaves visited for a query; > 0. None visits all that may matter.

    Shape: queries (Q, D) -> scores and ids (Q, min(k, n)).

    Example:
        >>> import numpy as np
        >>> index = KDTree(2)
        >>> index.add(np.array([7, 3, 5]), np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]]))
        >>> index.search(np.array([[1.0, 0.9]]), 2)[1].tolist()
        [[5, 7]]
    """

    def __init__(self, dim: int, *, max_leaves: Annotated[int, Gt(0)] | None = None) -> None:
        super().__init__(dim)
        self.max_leaves = max_leaves
        self.vectors = np.zeros((0, dim), np.float32)
        self._boxes: Boxes | None = None

    @property
    def memory_bytes(self) -> int:
        """Vectors, SciPy's copy of them in double precision, the tree's nodes and ids."""
        tree = self.boxes.memory_bytes if len(self.vectors) else 0
        return self.vectors.nbytes + self.ids.nbytes + tree

    @property
    def boxes(self) -> Boxes:
        """The tree of the vectors that are there now."""
        boxes = self._boxes
        if boxes is None:
            # Two threads may both come here; each builds the same tree.
            boxes = self._boxes = Boxes(_raised(self.vectors), LEAF)
        return boxes

    def visited_leaves(self, queries: np.ndarray, k: int) -> np.ndarray:
        """Return how many leaves a search for ``k`` visits, best bin first.

        That is: how many have boxes nearer than the k-th hit, and at most ``max_leaves``. (A leaf is visited if its box
        is nearer than the k-th hit so far; those come in the order of their boxes.)

        Shape: (Q, D) -> int64 (Q,).
        """
        rows, wanted = self._unit(queries), min(k, len(self))
        counts = [np.zeros(0, np.int64)]
        for start in range(0, len(rows), QUERIES):
            part = rows[start : start + QUERIES]
            positions = self._nearest(part, wanted)[1]
            lifted = _lifted(part).astype(np.float64)
            away = ((self.boxes.tree.data[positions] - lifted[:, None]) ** 2).sum(2)  # (Q, k)
            reach = np.where(positions >= 0, away, np.inf).max(1, keepdims=True)
            # A first leaf is visited though its box be no nearer than the only hit, a corner of it.
            result = np.maximum((self.boxes.distances(lifted) < reach).sum(1), 1)
            counts.append(np.minimum(result, self.max_leaves or result))
        return np.concatenate(counts)

    def _add(self, vectors: np.ndarray) -> None:
        self.vectors = np.concatenate([self.vectors, vectors]) if len(self.vectors) else vectors
        self._boxes = None

    def _nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        find = self._all if self.max_leaves is None else self._first
        parts = [find(queries[i : i + QUERIES], k) for i in range(0, len(queries), QUERIES)]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def _all(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Exact; where the k-th is as far as the next, all that are as far are compared by id."""
        lifted, tree = _lifted(queries), self.boxes.tree
        distances, positions = tree.query(lifted, min(k + 1, len(self)))
        distances, positions = distances.reshape(len(queries), -1), positions.reshape(len(queries), -1)
        if k < positions.shape[1]:
            tied = np.flatnonzero(distances[:, k] <= distances[:, k - 1] * (1 + SLACK) + SLACK)
            reach = distances[tied, k - 1] * (1 + SLACK) + SLACK
            more = tree.query_ball_point(lifted[tied], reach) if len(tied) else []
            width = max([k, *(len(result) for result in more)])
            wide = np.full((len(queries), width), -1, np.int64)
            wide[:, :k] = positions[:, :k]
            for row, result in zip(tied, more, strict=True):
                wide[row, : len(result)] = result
            positions = wide
        return best(exact_scores(queries, self.vectors, positions), positions, self.ids, k)

    def _first(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Of the nearest leaves."""
        boxes, most = self.boxes, self.max_leaves or 0
        distances = boxes.distances(_lifted(queries))
        if most < distances.shape[1]:
            leaves = np.argpartition(distances, most - 1, axis=1)[:, :most]
        else:
            leaves = np.broadcast_to(np.arange(distances.shape[1]), distances.shape)
        positions = boxes.members(leaves)
        if positions.shape[1] < k:
            positions = np.pad(positions, ((0, 0), (0, k - positions.shape[1])), constant_values=-1)
        return best(exact_scores(queries, self.vectors, positions), positions, self.ids, k)

    def _write(self, folder: Path) -> None:
        return  # the vectors are the caller's, and the tree follows from them

    def _read(self, folder: Path, vectors: np.ndarray) -> None:
        self.vectors = np.asarray(vectors)
        self._boxes = None


def _lifted(queries: np.ndarray) -> np.ndarray:
    """With one more coordinate, 0."""
    return np.pad(queries, ((0, 0), (0, 1)))


def _raised(vectors: np.ndarray) -> np.ndarray:
    """With one more coordinate, 1 for zero vectors."""
    lifted = _lifted(vectors)
    lifted[:, -1] = ~vectors.any(1)
    return lifted
