"""How often the 95 % interval over items of a metric that is no mean over items holds its expected value, how often two
rows that are equally good differ by it, and what its resamples cost.

    python benchmarks/resampled_metrics.py [--tables 600] [--resamples 500]

Test sets are simulated; nothing is trained. Expected is the mean over many test sets of the same size.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from vsebench.components.metric.base import Predictions
from vsebench.core.metric_specs import compute, mode_of, parse_metrics, resampled
from vsebench.stats.bootstrap import draws
from vsebench.stats.compared_metrics import resamples
from vsebench.stats.paired_tests import ALPHA, difference
from vsebench.stats.rank_groups import item_intervals, scored

SINGLE = ["average_precision", "auroc", "f1", "balanced_accuracy", "nll", "brier", "ece"]
MULTI = ["average_precision", "auroc", "f1", "nll", "brier"]
#: Rows, and how many test sets the expected value is the mean of.
ROWS, EXPECTED = 2, 2000
#: Items, classes, and whether an item may have several.
TABLES = [(150, 5, False), (200, 12, False), (600, 5, False), (300, 8, True), (100, 8, True)]
#: Resamples whose time in a loop is measured; that of all of them is so many times longer.
LOOPED = 10


def made(items: int, classes: int, multi_label: bool, generator: np.random.Generator) -> list[Predictions]:
    """Make equally good rows on one test set: common logits that are right to a degree, and tastes of their own."""
    frequency = 1 / np.arange(1, classes + 1)
    if multi_label:
        labels = (generator.random((items, classes)) < 0.5 * frequency).astype(np.int64)
        right = labels.astype(float)
    else:
        labels = generator.choice(classes, size=items, p=frequency / frequency.sum())
        right = np.eye(classes)[labels]
    common = 2 * right + generator.standard_normal((items, classes))
    logits = [(common + generator.standard_normal(common.shape)).astype(np.float32) for _ in range(ROWS)]
    return [Predictions(values, labels, multi_label=multi_label) for values in logits]


def simulate(items: int, classes: int, multi_label: bool, tables: int, count: int) -> dict[str, tuple[float, float]]:
    """Return of each number the coverage of its interval and the share of tables in which two equal rows differ."""
    generator, metrics = np.random.default_rng(0), parse_metrics(MULTI if multi_label else SINGLE)
    once = np.ones((items, 1), np.int32)
    many = [resampled(made(items, classes, multi_label, generator)[0], metrics, once) for _ in range(EXPECTED)]
    expected = {key: float(np.mean([one[key] for one in many])) for key in many[0]}
    held, differ = dict.fromkeys(expected, 0), dict.fromkeys(expected, 0)
    for table in range(tables):
        rows = made(items, classes, multi_label, generator)
        counts = np.concatenate([once, *draws(np.arange(items), resamples=count, seed=table)], axis=1)
        results = [resampled(row, metrics, counts) for row in rows]
        for key in expected:
            both = resamples(
                [],
                [one[key][None, 1:] for one in results],
                [[float(one[key][0])] for one in results],
                items,
                share=mode_of(key) == "max",
            )
            interval = item_intervals(both, both.value, both.samples)[0]
            held[key] += interval.low <= expected[key] <= interval.high
            differ[key] += difference(*scored(both)).p <= ALPHA
    return {key: (held[key] / tables, differ[key] / tables) for key in expected}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tables", type=int, default=600)
    parser.add_argument("--resamples", type=int, default=500)
    options = parser.parse_args()
    print("| | 95 % interval holds, % | equal rows differ, % |\n|--|--:|--:|")
    for items, classes, multi_label in TABLES:
        what = f"{items} items, {classes} classes{', several labels' if multi_label else ''}"
        shares = simulate(items, classes, multi_label, options.tables, options.resamples)
        for key, (held, differ) in shares.items():
            print(f"| {what}: {key} | {100 * held:.1f} | {100 * differ:.1f} |", flush=True)
    for several, names in ((False, SINGLE), (True, MULTI)):
        (row, _) = made(5000, 25, several, np.random.default_rng(0))
        labels = "several labels" if several else "one label"
        print(f"\n| 2,000 resamples of 5,000 items, 25 classes, {labels} | seconds | a loop over them | ratio |")
        print("|--|--:|--:|--:|")
        blocks = list(draws(np.arange(5000)))
        for name in names:
            begin = time.perf_counter()
            for counts in blocks:
                resampled(row, parse_metrics([name]), counts)
            taken = time.perf_counter() - begin
            loop = obvious(row, name, blocks[0][:, :LOOPED]) * sum(block.shape[1] for block in blocks) / LOOPED
            print(f"| {name} | {taken:.2f} | {loop:.1f} | {loop / taken:.0f} |", flush=True)


def obvious(row: Predictions, name: str, counts: np.ndarray) -> float:
    """Return the seconds of the obvious way: the metric of the items, each repeated as often as it was drawn."""
    assert row.logits is not None
    begin = time.perf_counter()
    for times in counts.T:
        rows = np.repeat(np.arange(len(times)), times)
        again = Predictions(row.logits[rows], row.labels[rows], multi_label=row.multi_label)
        compute(again, parse_metrics([name]))
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
