"""Weights of a combination, chosen on validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from vsebench.core.errors import ConfigError
from vsebench.core.metric_specs import compute, metric_entry, parse_metrics
from vsebench.ops.ranking import LEAST_ROWS, ScoreRows
from vsebench.results.ensembles.scores import Combined

#: Steps from 0 to 1 by the number of runs: 21, 66, 56, 126 and 252 points.
STEPS = {2: 20, 3: 10, 4: 5, 5: 5, 6: 5}
#: Normalised scores of all runs are kept up to this many bytes while points are tried; beyond it they are made again.
MEMORY = 1 << 30


def simplex(count: int, steps: int) -> Iterator[tuple[float, ...]]:
    """Every way to share ``steps`` equal parts among ``count``, as shares.

    Example:
        >>> list(simplex(2, 2))
        [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)]
    """

    def parts(left: int, of: int) -> Iterator[tuple[int, ...]]:
        if of == 1:
            yield (left,)
            return
        for first in range(left + 1):
            for rest in parts(left - first, of - 1):
                yield (first, *rest)

    for point in parts(steps, count):
        yield tuple(number / steps for number in point)


def best_weights(predictions: Combined, key: str, mode: str) -> tuple[tuple[float, ...], float]:
    """Return the point of the grid with the best number; of equally good ones the most even, then the first.

    Args:
        predictions: of the validation split.
        key: a metric's key without the split, ``i2t/recall@10`` or ``rsum``.
        mode: ``max`` or ``min``.

    Returns: the weights and their number.

    Raises: ConfigError for too many runs, or a number that these predictions do not have.
    """
    count = len(predictions.parts)
    if count not in STEPS:
        raise ConfigError(f"weights of {count} runs cannot be searched on a grid; {max(STEPS)} is the most. Give them.")
    metrics = parse_metrics([metric_entry(key)])
    predictions = _held(predictions)
    best: tuple[float, float, tuple[float, ...]] | None = None
    for weights in simplex(count, STEPS[count]):
        numbers = compute(replace(predictions, weights=weights, _folds={}, _kept={}), metrics)
        if key not in numbers:
            listing = ", ".join(f"val/{name}" for name in numbers) or "none"
            raise ConfigError(
                f"'val/{key}' is not a number of rankings, by which weights could be chosen. Known: {listing}."
            )
        value = numbers[key] if mode == "max" else -numbers[key]
        unevenness = sum(weight**2 for weight in weights)
        if best is None or (value, -unevenness) > best[:2]:
            best = (value, -unevenness, weights)
    assert best is not None, "a grid has points"
    return best[2], best[0] if mode == "max" else -best[0]


def _held(predictions: Combined) -> Combined:
    """Cache the normalised scores, if they fit."""
    images, captions = len(predictions.groups), len(predictions.owner)
    if 2 * 8 * images * captions * len(predictions.parts) > MEMORY:
        return predictions
    sizes = {"i2t": images, "t2i": captions}
    held = {d: tuple(_matrix(rows, size) for rows in predictions.normalised_rows(d)) for d, size in sizes.items()}
    return replace(predictions, held=held)


def _matrix(rows: ScoreRows, queries: int) -> ScoreRows:
    blocks: Sequence[np.ndarray] = [rows(slice(at, at + LEAST_ROWS)) for at in range(0, queries, LEAST_ROWS)]
    whole = np.concatenate(blocks)
    return lambda part: whole[part]
