"""What ranking codes costs, against the generic ranking of the same codes as vectors.

    python benchmarks/hamming.py [--threads 2] [--large]

1. Hamming MAP with ties in expectation, and in the gallery's order, of 2,000 queries with several of 24 labels against
   18,015 items, at 16, 32 and 64 bits: one direction, from codes as float32 to the number. Beside it the generic
   ``map`` of the same codes, which finds the same ties by sorting scores, and a loop in plain Python over the items of
   a few queries, scaled to all.
2. The curves: hash lookup for every radius, and precision of the first N, both directions.
3. With ``--large``: 1,000 queries in 1,000,000 codes of 64 bits. MAP and the first 100 of every query.

Each measurement has a process of its own, which also tells its memory: what the peak grows by beside the codes, and of
the large gallery the whole process's peak (Linux alone: the peak is set back before the work).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vsebench.components.metric._codes import distances
from vsebench.components.metric._curves import curves_of
from vsebench.components.metric._expected import average_precision
from vsebench.components.metric._sides import Gallery
from vsebench.components.metric.base import Predictions
from vsebench.components.metric.hamming_map import _in_order

QUERIES, ITEMS, LABELS = 2_000, 18_015, 24
LARGE_QUERIES, LARGE_ITEMS = 1_000, 1_000_000
FEW = 4


def codes_of(rng: np.random.Generator, labels: np.ndarray, bits: int, planes: np.ndarray) -> np.ndarray:
    """Codes that know something of the labels, so that lists are neither random nor perfect."""
    noise = rng.standard_normal((len(labels), bits), dtype=np.float32)
    return np.where(labels.astype(np.float32) @ planes + 2 * noise > 0, 1, -1).astype(np.float32)


def predictions(bits: int) -> Predictions:
    """Return queries and a database, every item with one text."""
    rng = np.random.default_rng(0)
    planes = rng.standard_normal((LABELS, bits), dtype=np.float32)
    query, items = ((rng.random((n, LABELS)) < 0.12).astype(np.int64) for n in (QUERIES, ITEMS))
    query[:, 0] |= query.sum(1) == 0
    ranked_gallery = {m: codes_of(rng, items, bits, planes) for m in ("image", "text")}
    return Predictions(
        None,
        query,
        multi_label=True,
        embeddings={m: codes_of(rng, query, bits, planes) for m in ("image", "text")},
        owner=np.arange(QUERIES),
        groups=np.arange(QUERIES),
        similarity="hamming",
        unranked="by label",
        gallery=Gallery(items, ranked_gallery, np.arange(ITEMS), np.arange(ITEMS)),
    )


def expected(p: Predictions) -> float:
    """One direction's MAP, ties in expectation."""
    groups = p.code_pairs("i2t").counts().tie_groups()
    return float(average_precision(groups, np.full(len(groups), groups.gallery), "all").mean())


def stable(p: Predictions) -> float:
    """One direction's MAP, ties in the gallery's order."""
    return float(_in_order(p.code_pairs("i2t")).mean())


def generic(p: Predictions) -> float:
    """One direction's MAP from scores, as any embeddings have it."""
    results = [average_precision(g, np.full(len(g), g.gallery), "all") for g in p.tie_groups("i2t")]
    return float(np.concatenate(results).mean())


def loop(p: Predictions) -> float:
    """Compute the definition, item by item, for a few queries: ties in the gallery's order."""
    assert p.gallery is not None
    values = []
    ranked_gallery, marks = p.gallery.embeddings["text"].tolist(), p.gallery.labels.tolist()
    for code, current in zip(p.embeddings["image"][:FEW].tolist(), p.labels[:FEW].tolist(), strict=True):
        apart = [sum(a != b for a, b in zip(code, other, strict=True)) for other in ranked_gallery]
        good = [any(a and b for a, b in zip(current, mark, strict=True)) for mark in marks]
        result, total = 0, 0.0
        for place, item in enumerate(sorted(range(len(apart)), key=apart.__getitem__), start=1):
            if good[item]:
                result += 1
                total += result / place
        values.append(total / result)
    return float(np.mean(values))


def large() -> Predictions:
    """Return queries and a large gallery of 100 classes, codes as float32."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 100, LARGE_ITEMS)
    current = np.arange(LARGE_QUERIES) * 997
    planes = rng.standard_normal((100, 64), dtype=np.float32)
    codes = np.empty((LARGE_ITEMS, 64), np.float32)
    for start in range(0, LARGE_ITEMS, 50_000):
        part = planes[labels[start : start + 50_000]] + 2 * rng.standard_normal((50_000, 64), dtype=np.float32)
        codes[start : start + 50_000] = np.where(part > 0, 1, -1)
    query = dict.fromkeys(("image", "text"), codes[current])
    gallery = Gallery(labels, {"image": codes, "text": codes}, np.arange(LARGE_ITEMS), labels)
    groups = labels[current]
    return Predictions(
        None,
        groups,
        embeddings=query,
        owner=np.arange(LARGE_QUERIES),
        groups=groups,
        similarity="hamming",
        gallery=gallery,
    )


def large_first(p: Predictions) -> float:
    """Compute the first 100 of every query, in order."""
    pairs = p.code_pairs("i2t")
    last = 0
    for row in range(len(pairs.query)):
        apart = distances(pairs.query[row : row + 1], pairs.gallery, pairs.bits)[0]
        # The distance at which the list of 100 ends follows from the counts; only what is as near is ordered.
        end = int(np.searchsorted(np.bincount(apart, minlength=65).cumsum(), 100))
        near = np.flatnonzero(apart <= end)
        last += int(near[np.argsort(apart[near], kind="stable")[:100]][-1])
    return float(last)


def measure(work: Callable[[], Any]) -> None:
    """Run once, and print what came out, seconds, the growth of the peak memory and the peak, in MiB."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = memory("VmRSS")
    begin = time.perf_counter()
    value = work()
    seconds = time.perf_counter() - begin
    peak = memory("VmHWM")
    print(f"{value if isinstance(value, float) else 0} {seconds} {peak - before} {peak}")


def memory(what: str) -> float:
    """Read a line of the process's status, in MiB."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what)]
    return float(line.split()[1]) / 1024


def child(name: str, bits: int, threads: int) -> None:
    """One measurement."""
    torch.set_num_threads(threads)
    np.ones((64, 64), np.float32) @ np.ones((64, 64), np.float32)  # the library's buffers
    p = large() if name.startswith("large") else predictions(bits)
    ways: dict[str, Callable[[Predictions], Any]] = {
        "expected": expected,
        "stable": stable,
        "generic": generic,
        "loop": loop,
        "curves": curves_of,
        "large_map": expected,
        "large_first": large_first,
    }
    measure(lambda: ways[name](p))


def run(name: str, bits: int, threads: int) -> tuple[float, float, float, float]:
    """Measure in a process of its own: the value, seconds, MiB beside the codes and in all."""
    command = [sys.executable, __file__, "--child", name, "--bits", str(bits), "--threads", str(threads)]
    message = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    value, seconds, grown, peak = (float(part) for part in message[-4:])
    return value, seconds, grown, peak


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--child", default=None)
    parser.add_argument("--bits", type=int, default=64)
    message = parser.parse_args()
    if message.child is not None:
        child(message.child, message.bits, message.threads)
        return
    print(f"{QUERIES:,} queries, {ITEMS:,} items, {LABELS} labels, one direction; {message.threads} threads\n")
    print("| bits | way | MAP | seconds | against counting | MiB |\n|--:|--|--:|--:|--:|--:|")
    names = {
        "expected": "counted by distance",
        "stable": "in the gallery's order",
        "generic": "generic `map`",
        "loop": f"a Python loop ({FEW} of {QUERIES:,} queries measured)",
    }
    for bits in (16, 32, 64):
        first = 0.0
        for name, title in names.items():
            value, seconds, grown, _ = run(name, bits, message.threads)
            seconds *= QUERIES / FEW if name == "loop" else 1
            first = first or seconds
            shown = "–" if name == "loop" else f"{value:.4f}"
            row = f"{shown} | {seconds:,.2f} | {seconds / first:,.1f} | {grown:,.0f}"
            print(f"| {bits} | {title} | {row} |", flush=True)
    _, seconds, grown, _ = run("curves", 64, message.threads)
    print(f"\nThe curves of both directions at 64 bits, counting included: {seconds:.2f} s, {grown:,.0f} MiB")
    if message.large:
        print(f"\n{LARGE_QUERIES:,} queries in {LARGE_ITEMS:,} codes of 64 bits:\n")
        print("| way | seconds | MiB beside the codes | MiB in all |\n|--|--:|--:|--:|")
        for name, title in (("large_map", "MAP, ties in expectation"), ("large_first", "the first 100 of every query")):
            _, seconds, grown, peak = run(name, 64, message.threads)
            print(f"| {title} | {seconds:.1f} | {grown:,.0f} | {peak:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
