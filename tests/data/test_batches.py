"""Orders and batches that do not depend on the number of workers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vsebench.core.types import Preprocessing
from vsebench.data.batches import EpochOrder, bucketed, image_loader
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item

PLAIN = Preprocessing((16, 16), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "nearest")


def test_image_loader_keeps_the_order_whatever_the_workers(
    tmp_path: Path, items: Callable[..., list[Item]], write: Callable[..., Dataset]
) -> None:
    dataset = write(tmp_path / "a.h5", items())
    order = EpochOrder(np.arange(12), 3).order(2)
    batches = [
        list(image_loader(dataset, order, PLAIN, batch_size=5, num_workers=n)) for n in (0, 2)
    ]  # fmt: skip
    for (a, pixels_a), (b, pixels_b) in zip(*batches, strict=True):
        assert a.tolist() == b.tolist()
        assert bool((pixels_a == pixels_b).all())
    assert [int(p) for positions, _ in batches[0] for p in positions] == order.tolist()
    assert sorted(order.tolist()) == list(range(12))
    assert order.tolist() != EpochOrder(np.arange(12), 3).order(3).tolist()


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
