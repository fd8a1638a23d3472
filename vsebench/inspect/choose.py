"""Which queries or items of a run are shown: the best, the worst, and some at random."""

from __future__ import annotations

import numpy as np


def choose(worth: np.ndarray, count: int, seed: int) -> dict[str, np.ndarray]:
    """Positions of the ``best``, the ``worst`` and some ``random`` ones.

    Equals are drawn by the seed, so that the best of many perfect ones are not always the first. The random ones are a
    fair sample of all, and may be among the others.

    Args:
        worth: float (n,), the higher the better.
        count: of each kind, at most.
        seed: of the draw.

    Shape: (n,) -> three times int64 (min(count, n),).

    Example:
        >>> choose(np.array([0.1, 0.9, 0.5]), 1, seed=0)["best"].tolist()
        [1]
    """
    generator = np.random.default_rng(seed)
    drawn = generator.permutation(len(worth))
    best = drawn[np.argsort(-worth[drawn], kind="stable")][:count]
    worst = drawn[np.argsort(worth[drawn], kind="stable")][:count]
    return {"best": best, "worst": worst, "random": generator.permutation(len(worth))[:count]}
