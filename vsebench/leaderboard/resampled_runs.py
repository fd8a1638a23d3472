"""Numbers of runs on resamples of a board's test items, from the predictions that lie in their folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from vsebench.core.errors import DataError, MetricError
from vsebench.core.metric_specs import Metric, metric_entry, mode_of, parse_metrics, resampled
from vsebench.core.registry import METRICS
from vsebench.core.terminal import say
from vsebench.core.types import Result
from vsebench.ops.slices import is_of_slice
from vsebench.runs.item_scores import TOLERANCE, ItemScores
from vsebench.runs.predictions import NotStored, load_predictions
from vsebench.stats.bootstrap import draws

SPLIT = "test"
EXCLUDED = "Run {run} is excluded from intervals over items and from tests."
#: Runs whose resamples are computed at once; each holds a few hundred megabytes.
MOST_THREADS = 8
#: Items up to which the counts of all resamples are held at once, 8 kB for each; beyond, they are drawn for every run.
SHARED_ITEMS = 1 << 16


def resampled_metrics(result: Result) -> dict[str, Metric]:
    """Return the test numbers of a result that a metric can give for resampled items, with their metrics.

    Those that are means of what is kept of single items are not among them, nor metrics that are not registered here.
    """
    results = {}
    for key in (k.removeprefix(f"{SPLIT}/") for k in result.metrics if k.startswith(f"{SPLIT}/")):
        if mode_of(key) is None or is_of_slice(key):
            continue
        (metric, *_) = parse_metrics([metric_entry(key)])
        if METRICS.get(metric.name).facts["resample"] is not None:
            results[key] = metric
    return results


def add_resampled(
    values: dict[str, dict[str, np.ndarray]],
    folder: Path,
    runs: Mapping[str, tuple[Result, Mapping[str, Metric]]],
    item_scores: ItemScores,
) -> None:
    """Add the numbers of some runs on resamples of the clusters: several runs at once, all on the same counts."""
    if not runs:
        return
    clusters = item_scores.clusters
    shared = list(_counts(clusters)) if len(clusters) <= SHARED_ITEMS else []
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:  # NumPy and SciPy release the interpreter
        results = {
            run: pool.submit(_resampled, folder / run, result, wanted.values(), lambda: shared or _counts(clusters))
            for run, (result, wanted) in runs.items()
        }
    for run, result in results.items():
        try:
            for key, of_run in result.result().items():
                values.setdefault(key, {})[run] = of_run
        except DataError as error:
            say(f"{error} {EXCLUDED.format(run=run)}", error=True)


def _counts(clusters: np.ndarray) -> Iterator[np.ndarray]:
    """Return how often each item is drawn, of which the first column has every item once. Shape: -> int32 (n, some)"""
    blocks = draws(clusters)
    yield np.concatenate([np.ones((len(clusters), 1), np.int32), next(blocks)], axis=1)
    yield from blocks


def _resampled(
    folder: Path, result: Result, metrics: Iterable[Metric], counts: Callable[[], Iterable[np.ndarray]]
) -> dict[str, np.ndarray]:
    """Compute a run's numbers on resamples of its clusters; of whole lists where the vectors are kept.

    A number is left out that stored predictions do not give, or not as the result has it.
    """
    predictions = load_predictions(folder, SPLIT)
    results = {}
    for metric in dict.fromkeys(metrics):
        try:
            blocks = [resampled(predictions, [metric], block) for block in counts()]
        except (NotStored, MetricError):
            continue
        for key in blocks[0]:
            values = np.concatenate([block[key] for block in blocks])
            stored = result.metrics.get(f"{SPLIT}/{key}")
            if stored is not None and abs(stored - float(values[0])) <= TOLERANCE * max(1.0, abs(stored)):
                results[key] = values[1:]
    return results
