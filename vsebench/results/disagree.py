"""The items that two runs disagree on, in words: what they are, and what each run said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vsebench.data.dataset import Dataset
from vsebench.results.compare import Comparison, Disagreement


@dataclass(frozen=True)
class Shown:
    """A query that one run gets right and the other wrong.

    Args:
        id: of the item.
        position: of the item in the dataset file.
        caption: that asks, or the item's first; empty where it has none.
        truth: what is right: the item's class; of a ranking, empty.
        said: what both runs said: a class, or where the first right one stands.
    """

    id: str
    position: int
    caption: str
    truth: str
    outputs: tuple[str, str]


def shown(comparison: Comparison, apart: Disagreement, dataset: Dataset, most: int) -> list[Shown]:
    """Return the first ``most`` of them, in the dataset's order."""
    predictions = comparison.a.predictions
    assert predictions is not None, "items come from predictions"
    positions, labels = predictions.positions, predictions.labels
    results = []
    for item, number, answers in list(zip(apart.items, apart.captions, apart.answers, strict=True))[:most]:
        position = int(positions[item])
        texts = dataset.texts(position)
        at = max(0, int(number))
        classes = apart.key == "accuracy"
        a, b = (_class(dataset, int(one)) if classes else f"rank {one:,.4g}" for one in answers)
        truth = _class(dataset, int(labels[item])) if labels.ndim == 1 and len(dataset.label_names) else ""
        results.append(Shown(dataset.ids[position], position, texts[at] if at < len(texts) else "", truth, (a, b)))
    return results


def _class(dataset: Dataset, number: int) -> str:
    names: Sequence[str] = dataset.label_names
    return names[number] if 0 <= number < len(names) else f"class {number}"


def about(apart: Disagreement, comparison: Comparison) -> str:
    """Format a heading: which run is right, on how many items."""
    right, wrong = ("A", "B") if apart.right == "a" else ("B", "A")
    what = "items" if apart.key == "accuracy" else "queries"
    count = len(np.asarray(apart.items))
    return f"{apart.key}: {right} right, {wrong} wrong ({count:,} {what})"
