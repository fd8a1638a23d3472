"""How long a dataset file takes to open, with and without comparing it with its seal.

    python benchmarks/seal.py [--items 20000] [--image-bytes 20000]

Writes a file in a temporary folder (items with an encoded image of random bytes, five captions and a label), opens it
and prints medians. The file is in the system's cache.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.seal import _verified, sum_of, verify
from vsebench.data.writer import DatasetWriter

CAPTIONS = ("a caption of about fifty letters, as those of COCO",) * 5
TIMES = 9


def median(work: Callable[[], object]) -> float:
    """Seconds of one of ``TIMES`` calls."""
    seconds = []
    for _ in range(TIMES):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def write(path: Path, count: int, size: int) -> None:
    """Write a dataset whose images are random bytes."""
    rng = np.random.default_rng(0)
    with DatasetWriter(path, name="sealed", title="Sealed") as writer:
        for i in range(count):
            writer.add(Item(f"item-{i}", rng.bytes(size), CAPTIONS, ("cat", "dog")[i % 2]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--image-bytes", type=int, default=20_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        write(path, given.items, given.image_bytes)

        def compare() -> None:
            _verified.cache_clear()
            verify(path)

        seal_s = median(compare)
        open_s = median(lambda: Dataset.open(path).close())  # what was compared is remembered
        data = bytes(given.image_bytes)
        image_s = median(lambda: [sum_of(data) for _ in range(1000)]) / 1000
        print(f"{given.items:,} items, {path.stat().st_size / 1e6:,.0f} MB")
        print(f"reading and checking the tables  {1000 * open_s:8.1f} ms")
        print(f"comparing them with the seal     {1000 * seal_s:8.1f} ms, once in a process")
        print(f"opening, ratio with to without   {(open_s + seal_s) / open_s:8.2f}")
        print(f"comparing an image               {1e6 * image_s:8.1f} µs")


if __name__ == "__main__":
    main()
