"""What a row's run folders say beside its numbers: training curves, who is taken for whom, precision and recall."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vsebench.components.metric.base import Predictions
from vsebench.runs.predictions import load_predictions, predictions_file
from vsebench.runs.store import read_history

SPLIT = "test"
#: Where curves of precision and recall are read: 0, 1/40, …, 1.
RECALLS = np.linspace(0, 1, 41)
#: A curve of more epochs is thinned to about so many.
MOST_EPOCHS = 120
#: Numbers of an epoch that are no curve of learning.
_NO_CURVES = ("epoch", "lr")
#: A matrix of more classes is not shown whole, but by its most frequent mistakes.
MOST_CLASSES = 30

Points = list[tuple[int, float]]


@dataclass(frozen=True)
class Classes:
    """How a row's classifiers answer on test.

    Args:
        runs: that it is of.
        confusion: int64 (C, C), true class by predicted one, summed over runs; None for items of several labels.
        precision: (R, ) per mille at :data:`RECALLS`, by class and ``micro``; the highest at that recall or beyond,
            mean over runs. Classes without an item are left out.
        average: class -> average precision, mean over runs; ``micro`` too.
    """

    runs: int
    confusion: np.ndarray | None
    precision: Mapping[str, Sequence[int]]
    average: Mapping[str, float]


def curves_of(folder: Path) -> dict[str, Points]:
    """Return the numbers of the history as (epoch, value), without values that are no numbers.

    Raises: DataError for a damaged history.
    """
    results: dict[str, Points] = {}
    for line in read_history(folder):
        epoch = int(line.get("epoch", 0))
        for key, value in line.items():
            if key not in _NO_CURVES and "/chance/" not in key and math.isfinite(value):
                results.setdefault(key, []).append((epoch, float(f"{value:.5g}")))
    return {key: _thinned(points) for key, points in results.items()}


def _thinned(points: Points) -> Points:
    step = max(1, math.ceil(len(points) / MOST_EPOCHS))
    return points if step == 1 else [*points[:-1:step], points[-1]]


def classes_of(folders: Sequence[Path], *, multi_label: bool = False) -> Classes | None:
    """Return a row's predictions per class on test; None where no run stored logits.

    Args:
        folders: of the row's runs.
        multi_label: whether an item may have several labels.

    Raises: DataError for a damaged file of predictions.
    """
    answers = []
    for folder in folders:
        if predictions_file(folder, SPLIT).is_file():
            stored = load_predictions(folder, SPLIT, vectors=False)
            if stored.logits is not None:
                ranks = Predictions(stored.logits, stored.labels, multi_label=multi_label).class_ranks
                answers.append((ranks, stored.labels))
    if not answers:
        return None
    count = answers[0][0].shape[1]
    confusion = None
    if not multi_label:
        confusion = sum((_confusion(ranks, labels, count) for ranks, labels in answers), np.zeros((count, count), int))
    each = [
        _precision(ranks, labels if multi_label else labels[:, None] == np.arange(count)) for ranks, labels in answers
    ]
    names = [name for name in each[0] if all(name in one for one in each)]
    return Classes(
        runs=len(answers),
        confusion=confusion,
        precision={n: np.rint(1000 * np.mean([one[n][0] for one in each], 0)).astype(int).tolist() for n in names},
        average={n: round(float(np.mean([one[n][1] for one in each])), 4) for n in names},
    )


def confusion_of(folder: Path, most: int) -> np.ndarray | None:
    """Return a run's int64 (C, C) of test, true class by predicted one; None without logits, or of more classes.

    Args:
        folder: of a run whose items have one label each.
        most: number of classes.

    Raises: DataError for a damaged file of predictions.
    """
    if not predictions_file(folder, SPLIT).is_file():
        return None
    stored = load_predictions(folder, SPLIT, vectors=False)
    if stored.logits is None or stored.labels.ndim > 1 or stored.logits.shape[1] > most:
        return None
    ranks = Predictions(stored.logits, stored.labels).class_ranks
    return _confusion(ranks, stored.labels, ranks.shape[1])


def _confusion(ranks: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    known = labels >= 0
    cells = labels[known] * count + ranks[known].argmax(1)
    return np.bincount(cells, minlength=count * count).reshape(count, count)


def _precision(ranks: np.ndarray, truth: np.ndarray) -> dict[str, tuple[np.ndarray, float]]:
    """Name -> interpolated precision at :data:`RECALLS` and average precision."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    results = {}
    wanted = truth > 0
    columns = {"micro": (wanted.ravel(), ranks.ravel())}
    columns |= {str(c): (wanted[:, c], ranks[:, c]) for c in range(ranks.shape[1])}
    for name, (right, score) in columns.items():
        if right.any():
            precision, recall, _ = precision_recall_curve(right, score)
            # The last point, precision 1 at recall 0, is no measurement; before it recall falls.
            highest = np.maximum.accumulate(precision[:-1])[::-1]
            at = np.searchsorted(recall[:-1][::-1], RECALLS - 1e-12)
            results[name] = (highest[at], float(average_precision_score(right, score)))
    return results
