"""Orders and batches that do not depend on the number of workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from vsebench.data.batches import EpochOrder, image_loader
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.types import Preprocessing

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
