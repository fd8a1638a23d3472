"""Orders and batches that do not depend on the number of workers."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vsebench.core.types import Preprocessing
from vsebench.data.batches import EpochOrder, bucketed

PLAIN = Preprocessing((16, 16), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "nearest")


def test_an_order_is_another_permutation_each_epoch() -> None:
    first, second = (EpochOrder(np.arange(12), 3).order(epoch).tolist() for epoch in (2, 3))
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second


@given(
    lengths=st.lists(st.integers(0, 30), max_size=60),
    batch_size=st.integers(1, 7),
    batches=st.integers(2, 5),
    seed=st.integers(0, 99),
)
def test_buckets_are_a_permutation_of_full_batches_and_the_rest(
    lengths: list[int], batch_size: int, batches: int, seed: int
) -> None:
    result = bucketed(np.array(lengths, int), batch_size, batches, seed)
    assert sorted(result.tolist()) == list(range(len(lengths)))
    full = len(lengths) // batch_size * batch_size
    assert result[full:].tolist() == list(range(full, len(lengths)))
    for start in range(0, full, batch_size * batches):  # nothing leaves its pool
        pool = result[start : start + batch_size * batches]
        pool = pool[: full - start]
        assert sorted(pool.tolist()) == list(range(start, min(start + batch_size * batches, full)))
        cut = sorted(np.array(lengths)[pool].reshape(-1, batch_size).tolist(), key=lambda b: (min(b), max(b)))
        assert all(max(a) <= min(b) for a, b in itertools.pairwise(cut))


def test_buckets_depend_on_the_seed_alone_and_save_padding() -> None:
    lengths = np.random.default_rng(0).integers(3, 40, 640)
    one, same, other = (bucketed(lengths, 16, 10, seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()

    def padded(order: np.ndarray) -> int:
        batches = lengths[order].reshape(-1, 16)
        return int((batches.max(1) * 16).sum())

    assert padded(one) < 1.1 * lengths.sum() < padded(np.arange(640))
