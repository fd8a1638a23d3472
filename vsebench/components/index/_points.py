"""Codes of lattice points, and the best of them for a query that is not quantised."""

from __future__ import annotations

import numpy as np

from vsebench.components.index._select import best
from vsebench.ops.lattice import Lattice

#: Codes decoded at a time.
ROWS = 1 << 16
#: Scores computed at a time, 64 MiB.
BLOCK = 1 << 24


class Points:
    """Keep directions as the numbers of the nearest lattice points.

        x̂ = z / r,   z = argmax {⟨x, z⟩ : z ∈ Z^d, ‖z‖² = r²};   score = ⟨q, x̂⟩

    Args:
        lattice: the quantiser.
        decoded: keep the points as well, so that a search need not decode them.
    """

    def __init__(self, lattice: Lattice, decoded: bool) -> None:
        self.lattice = lattice
        self.codes = np.zeros((0, lattice.code_size), np.uint8)
        self.points = np.zeros((0, lattice.dim), lattice.dtype) if decoded else None

    @property
    def nbytes(self) -> int:
        """Of codes, points where they are kept, and the quantiser's atoms."""
        arrays = (self.codes, self.points, self.lattice.atoms)
        return sum(array.nbytes for array in arrays if array is not None)

    def add(self, directions: np.ndarray) -> None:
        """Quantise and keep some more. Shape: (n, d)."""
        points = self.lattice.quantize(directions)
        self.codes = np.concatenate([self.codes, self.lattice.encode(points)])
        if self.points is not None:
            self.points = np.concatenate([self.points, points])

    def restore(self, codes: np.ndarray) -> None:
        """Take codes that were saved. Shape: uint8 (n, code_size)."""
        self.codes = codes
        if self.points is not None:
            self.points = self.lattice.decode(codes)

    def nearest(self, queries: np.ndarray, ids: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the ``k`` of greatest product with each query, in any order; of equal ones those of smaller id.

        Shape: unit (Q, d), int64 (n,) -> scores (Q, min(k, n)), positions (Q, min(k, n)).
        """
        rows = queries / np.float32(self.lattice.radius)
        results = [(np.zeros((len(rows), 0), np.float32), np.zeros((len(rows), 0), np.int64))]
        for start in range(0, len(self.codes), ROWS):
            part = slice(start, start + ROWS)
            points = self.lattice.decode(self.codes[part]) if self.points is None else self.points[part]
            results.append(_of_block(rows, points.astype(np.float32).T, start, ids, k))
        scores, positions = (np.concatenate(parts, 1) for parts in zip(*results, strict=True))
        return best(scores, positions, ids, k)


def _of_block(
    queries: np.ndarray, points: np.ndarray, start: int, ids: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best among some points, for all queries. Shape: (Q, d), (d, n)."""
    step, parts = max(1, BLOCK // points.shape[1]), []
    for first in range(0, max(1, len(queries)), step):
        scores = queries[first : first + step] @ points
        places = np.broadcast_to(np.arange(start, start + points.shape[1]), scores.shape)
        parts.append(best(scores, places, ids, k))
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
