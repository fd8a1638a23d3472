"""What evaluation costs as galleries, captions and classes grow.

    python benchmarks/evaluation.py [--threads 2] [--large]

1. R@k, median and mean rank both ways, from embeddings of 1,024 numbers, against the bare operations in such blocks:
   the matrix product and the first ten of every query. 1,250 images with 5 captions each, times 1, 2 and 4 (the work
   grows with the square: x 1, x 4, x 16; the last is COCO's 5,000 x 25,000).
2. The classification metrics over 5,000 items, 25 classes times 1, 4 and 16.
3. With ``--large``: ranks in a gallery of 1,000,000 vectors of 256 numbers for 1,000 queries.

Each measurement has a process of its own, which also tells its memory: the peak beside the embeddings or logits.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from vsebench.components.metric.base import Predictions
from vsebench.core.metric_specs import compute, parse_metrics
from vsebench.ops.ranking import BLOCK_BYTES, rank_queries, similarity_rows
from vsebench.ops.relevance import by_group

DIM, CAPTIONS = 1024, 5
RETRIEVAL = ["recall@{1,5,10}", "median_rank", "mean_rank", "rsum"]
CLASSIFICATION = ["accuracy", "top5_accuracy", "balanced_accuracy", "average_precision", "auroc", "f1", "nll", "ece"]


def retrieval(images: int) -> Predictions:
    """Images and captions whose embeddings are near their images'."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((images, DIM), dtype=np.float32)
    owner = np.repeat(np.arange(images), CAPTIONS)
    text = image[owner] + 6 * rng.standard_normal((len(owner), DIM), dtype=np.float32)
    current = np.arange(images)
    return Predictions(None, current, embeddings={"image": image, "text": text}, owner=owner, groups=current)


def bare(p: Predictions) -> None:
    """Both matrix products and the first ten of every query, nothing else."""
    image, text = (torch.nn.functional.normalize(torch.from_numpy(p.embeddings[m])) for m in ("image", "text"))
    for query, gallery in ((image, text), (text, image)):
        rows = max(1, BLOCK_BYTES // (4 * len(gallery)))
        for start in range(0, len(query), rows):
            (query[start : start + rows] @ gallery.T).topk(10)


def measure(work: Callable[[], Any]) -> None:
    """Run once, and print seconds and the growth of the peak memory in MiB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    work()
    seconds = time.perf_counter() - begin
    print(f"{seconds} {(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024}")


def child(name: str, size: int, threads: int) -> None:
    """One measurement."""
    torch.set_num_threads(threads)
    if name in ("retrieval", "bare"):
        p = retrieval(size)
        np.ones((64, 64)) @ np.ones((64, 64))  # the library's buffers
        if name == "bare":
            bare(retrieval(16))
            measure(lambda: bare(p))
        else:
            compute(retrieval(16), parse_metrics(RETRIEVAL))
            measure(lambda: compute(p, parse_metrics(RETRIEVAL)))
    elif name == "classes":
        rng = np.random.default_rng(0)
        labels = rng.integers(0, size, 5_000)
        logits = rng.standard_normal((5_000, size), dtype=np.float32)
        logits[np.arange(5_000), labels] += 2
        compute(Predictions(logits[:200], labels[:200]), parse_metrics(CLASSIFICATION[:1]))
        measure(lambda: compute(Predictions(logits, labels), parse_metrics(CLASSIFICATION)))
    else:
        rng = np.random.default_rng(0)
        gallery = rng.standard_normal((1_000_000, 256), dtype=np.float32)
        current = np.arange(1_000) * 997
        query = gallery[current] + 3 * rng.standard_normal((1_000, 256), dtype=np.float32)
        relevant = by_group(current, np.arange(1_000_000))
        rows = similarity_rows(query, gallery)
        measure(lambda: rank_queries(rows, relevant, queries=1_000, gallery=1_000_000))


def run(name: str, size: int, threads: int) -> tuple[float, float]:
    """Measure in a process of its own: seconds and MiB."""
    command = [sys.executable, __file__, "--child", name, "--size", str(size), "--threads", str(threads)]
    message = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(message[-2]), float(message[-1])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--child", default=None)
    parser.add_argument("--size", type=int, default=0)
    message = parser.parse_args()
    if message.child is not None:
        child(message.child, message.size, message.threads)
        return
    print(f"Ranks both ways, {DIM:,} numbers, {message.threads} threads, blocks of {BLOCK_BYTES >> 20} MiB\n")
    print("| images x captions | seconds | bare operations | ratio | MiB |\n|--|--:|--:|--:|--:|")
    for factor in (1, 2, 4):
        images = 1_250 * factor
        (seconds, memory), (least, _) = (run(name, images, message.threads) for name in ("retrieval", "bare"))
        row = f"{seconds:.2f} | {least:.2f} | {seconds / least:.2f} | {memory:,.0f}"
        print(f"| {images:,} x {CAPTIONS * images:,} | {row} |", flush=True)
    print(f"\n| classes | seconds, {len(CLASSIFICATION)} metrics of 5,000 items | against the first | MiB |")
    print("|--:|--:|--:|--:|")
    first = 0.0
    for factor in (1, 4, 16):
        seconds, memory = run("classes", 25 * factor, message.threads)
        first = first or seconds
        print(f"| {25 * factor} | {seconds:.2f} | {seconds / first:.1f} | {memory:,.0f} |", flush=True)
    if message.large:
        seconds, memory = run("large", 0, message.threads)
        whole = memory + 1_000_000 * 256 * 4 / 2**20
        print(f"\n1,000 queries in 1,000,000 x 256: {seconds:.1f} s, {memory:,.0f} MiB beside the gallery,", end=" ")
        print(f"{whole:,.0f} with it")


if __name__ == "__main__":
    main()
