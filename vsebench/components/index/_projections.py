"""Random directions and those of greatest variance."""

from __future__ import annotations

import numpy as np


def gaussian(rows: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    """Independent standard normal directions, float32 (rows, dim)."""
    return rng.normal(size=(rows, dim)).astype(np.float32)


def orthogonal(rows: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    """Random directions of unit length, orthogonal in groups of ``dim``, float32 (rows, dim).

    Each group is uniform over the orthogonal matrices (signs of R's diagonal put right).
    """
    groups = []
    for _ in range(0, rows, dim):
        q, r = np.linalg.qr(rng.normal(size=(dim, dim)))
        groups.append((q * np.sign(np.diag(r))).T)
    return np.concatenate(groups)[:rows].astype(np.float32)


def principal(vectors: np.ndarray, rows: int) -> np.ndarray:
    """Return the ``rows`` directions in which vectors vary most, the most first, float32 (rows, dim).

    The sign of each is such that its greatest entry is positive, so that libraries agree.
    """
    centred = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    directions = np.linalg.eigh(centred.T @ centred)[1].T[::-1][:rows]
    greatest = np.take_along_axis(directions, np.abs(directions).argmax(1, keepdims=True), 1)
    turned: np.ndarray = (directions * np.sign(greatest)).astype(np.float32)
    return turned
