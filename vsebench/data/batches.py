"""Seeded orders, and images in the order asked for, whatever the number of workers."""

from __future__ import annotations

import numpy as np


class EpochOrder:
    """A permutation of some positions for each epoch, by (seed, epoch) alone.

    Example:
        >>> bool((EpochOrder(np.arange(5), 0).order(3) == EpochOrder(np.arange(5), 0).order(3)).all())
        True
    """

    def __init__(self, positions: np.ndarray, seed: int) -> None:
        self.positions, self.seed = positions, seed

    def order(self, epoch: int) -> np.ndarray:
        """Return the positions in this epoch's order."""
        return np.random.default_rng([self.seed, epoch]).permutation(self.positions)


def bucketed(lengths: np.ndarray, batch_size: int, batches: int, seed: int) -> np.ndarray:
    """Return an order in which batches hold texts of similar length, so that less of them is padding.

    Every ``batches · batch_size`` successive places are sorted by length, cut into batches, and the batches shuffled,
    by ``seed`` alone. A last batch that is not full stays the last.

    Args:
        lengths: int (n,), of the texts in the epoch's (shuffled) order.
        batch_size: items of a batch.
        batches: batches of a pool that is sorted by length.
        seed: of the shuffling.

    Shape: (n,) -> (n,), a permutation of 0..n-1.

    Example:
        >>> bucketed(np.array([5, 1, 4, 2, 9]), batch_size=2, batches=2, seed=0).tolist() in (
        ...     [1, 3, 2, 0, 4], [2, 0, 1, 3, 4])
        True
    """
    rng = np.random.default_rng(seed)
    full = len(lengths) // batch_size * batch_size
    parts = []
    for start in range(0, full, batches * batch_size):
        places = np.arange(start, min(start + batches * batch_size, full))
        cut = places[np.argsort(lengths[places], kind="stable")].reshape(-1, batch_size)
        parts.append(cut[rng.permutation(len(cut))].ravel())
    return np.concatenate([*parts, np.arange(full, len(lengths))])
