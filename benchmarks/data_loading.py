"""What the dataset file costs: reading batches, building, memory.

    python benchmarks/data_loading.py [--items 10000] [--side 64]

1. Random batches from the HDF5 file, against decoding the same JPEGs from a list in memory
   with the same number of workers.
2. Building a dataset of small images, against copying and hashing their files.
3. Peak memory of a build of n and of 4n images, each in a process of its own.

Ratios are of one run on one machine; absolute times are shown for orientation.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import multiprocessing
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from vsebench.core.registry import DATASETS
from vsebench.core.types import Preprocessing
from vsebench.data.dataset import Dataset
from vsebench.data.pixels import decode

BATCH = 64


class ItemImages(TorchDataset[tuple[int, torch.Tensor]]):
    """Pixels by position: (position, uint8 (3, H, W))."""

    def __init__(self, dataset: Dataset, positions: np.ndarray, preprocessing: Preprocessing) -> None:
        self.dataset, self.positions, self.preprocessing = dataset, positions, preprocessing

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int) -> tuple[int, torch.Tensor]:
        position = int(self.positions[index])
        return position, torch.from_numpy(self.dataset.image(position, self.preprocessing))


class InMemory(TorchDataset[tuple[int, torch.Tensor]]):
    """The same JPEGs, already read."""

    def __init__(self, encoded: list[bytes], order: np.ndarray, preprocessing: Preprocessing) -> None:
        self.encoded, self.order, self.preprocessing = encoded, order, preprocessing

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> tuple[int, torch.Tensor]:
        position = int(self.order[index])
        return position, torch.from_numpy(decode(self.encoded[position], self.preprocessing))


def write_images(root: Path, count: int, side: int) -> None:
    """Smooth noise as JPEG, with a metadata file."""
    (root / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    with (root / "metadata.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file_name", "text", "label"])
        for i in range(count):
            small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            picture = small.resize((side, side), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=90)
            (root / "images" / f"{i}.jpg").write_bytes(buffer.getvalue())
            writer.writerow([f"images/{i}.jpg", f"a text about number {i}", f"class {i % 10}"])


def build(root: Path, out: Path) -> float:
    """Seconds of a build."""
    start = time.perf_counter()
    DATASETS.get("folder").build({"source": str(root)}, out=out, progress=lambda done, total: None)
    return time.perf_counter() - start


def copy_and_hash(root: Path, out: Path) -> float:
    """Seconds of copying every file and hashing the copies, with the standard library's functions."""
    start = time.perf_counter()
    shutil.copytree(root / "images", out)
    for file in out.iterdir():
        with file.open("rb") as stream:
            hashlib.file_digest(stream, "sha256")
    return time.perf_counter() - start


def throughput(batches: object, count: int) -> float:
    """Images per second."""
    start = time.perf_counter()
    seen = sum(len(positions) for positions, _ in batches)  # type: ignore[attr-defined]
    assert seen == count
    return count / (time.perf_counter() - start)


def peak_memory(root: str, out: str) -> int:
    """MiB that a build adds to its process."""
    build(Path(root), Path(out))  # imports and pools first
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    Path(out).unlink()
    build(Path(root), Path(out))
    return max(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=64)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_images(root / "in", arguments.items, arguments.side)
        print(f"{arguments.items:,} JPEGs of {arguments.side} x {arguments.side}, {torch.get_num_threads()} threads\n")
        build(root / "in", root / "warm.h5")
        pairs = [
            (build(root / "in", root / f"{k}.h5"), copy_and_hash(root / "in", root / f"copy{k}")) for k in range(3)
        ]
        built, copied = min(b for b, _ in pairs), min(c for _, c in pairs)
        print("| building | seconds | against copying and hashing |\n|--|--:|--:|")
        print(
            f"| copying and hashing | {copied:.2f} | 1.00 |\n| folder builder | {built:.2f} | {built / copied:.2f} |\n"
        )
        reading(root / "0.h5", arguments.side)
        memory(root, arguments.items, arguments.side)


def reading(file: Path, side: int) -> None:
    """Batches from the file and from memory, in turn, the best of three each."""
    dataset = Dataset.open(file)
    preprocessing = Preprocessing((side, side), (0.5,) * 3, (0.5,) * 3, "bilinear")
    encoded = [dataset.image_bytes(i) or b"" for i in range(len(dataset))]
    order = np.random.default_rng(1).permutation(len(dataset))
    print("| workers | from memory, images/s | from the file, images/s | ratio |\n|--:|--:|--:|--:|")
    for workers in (0, 1, 2):
        memory_rates, file_rates = [], []
        for _ in range(3):
            plain = DataLoader(InMemory(encoded, order, preprocessing), batch_size=BATCH, num_workers=workers)
            memory_rates.append(throughput(plain, len(order)))
            batches = DataLoader(ItemImages(dataset, order, preprocessing), batch_size=BATCH, num_workers=workers)
            file_rates.append(throughput(batches, len(order)))
        ratio = max(file_rates) / max(memory_rates)
        print(f"| {workers} | {max(memory_rates):,.0f} | {max(file_rates):,.0f} | {ratio:.2f} |")
    print()


def memory(root: Path, items: int, side: int) -> None:
    """Peak memory of builds of a quarter of the images and of all."""
    context = multiprocessing.get_context("spawn")
    print("| images | peak memory of the process, MiB |\n|--:|--:|")
    shutil.copytree(root / "in", root / "quarter")
    lines = (root / "in" / "metadata.csv").read_text().splitlines()
    (root / "quarter" / "metadata.csv").write_text("\n".join(lines[: items // 4 + 1]) + "\n")
    for name, count in (("quarter", items // 4), ("in", items)):
        with context.Pool(1) as pool:
            print(f"| {count:,} | {pool.apply(peak_memory, (str(root / name), str(root / 'm.h5')))} |")
        (root / "m.h5").unlink()


if __name__ == "__main__":
    main()
