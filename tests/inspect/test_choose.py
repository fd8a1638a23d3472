"""Best, worst and random by what is stored."""

from __future__ import annotations

import numpy as np

from vsebench.inspect.choose import choose


def test_best_and_worst_are_sorted_and_equals_are_drawn_by_the_seed() -> None:
    worth = -np.array([1.0] * 50 + [7, 2, 9])
    for seed in range(5):
        chosen = choose(worth, 4, seed)
        assert (worth[chosen["best"]] == -1).all()
        assert chosen["worst"][:3].tolist() == [52, 50, 51]
        assert len(set(chosen["random"].tolist())) == 4
        again = choose(worth, 4, seed)
        assert all(np.array_equal(chosen[kind], again[kind]) for kind in chosen)
    assert len({tuple(choose(worth, 4, seed)["best"].tolist()) for seed in range(5)}) > 1


def test_no_more_than_there_are() -> None:
    assert all(sorted(rows.tolist()) == [0, 1] for rows in choose(np.array([0.5, 0.1]), 12, 0).values())
