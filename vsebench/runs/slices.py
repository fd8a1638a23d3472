"""Numbers of parts of a split, by the metrics that the whole has them of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vsebench.components.metric._answers import Answers
from vsebench.components.metric.base import Predictions
from vsebench.core.errors import MetricError
from vsebench.core.metric_specs import Metric, compute, needs_embeddings
from vsebench.ops.ranking import RANK_PARTS, Ranks
from vsebench.ops.slices import SLICE, Slices
from vsebench.runs.predictions import NotStored, StoredPredictions


def slice_numbers(
    predictions: Predictions, slices: Slices, metrics: Sequence[Metric]
) -> tuple[dict[str, float], list[str]]:
    """Compute the metrics of each slice that has items.

    Classification is of the slice's items. Retrieval is of the slice's queries against the whole gallery, from where
    each query's best match stands; metrics of whole lists have no numbers of slices. A metric that cannot be computed
    of a slice (of one class, say) leaves it out, and a note says why.

    Args:
        predictions: of the whole split.
        slices: of its items.
        metrics: those of the whole split.

    Returns: ``slice/<field>=<value>/<key>`` -> number, and the notes.
    """
    numbers: dict[str, float] = {}
    notes: list[str] = []
    whole = _compact(predictions, metrics) if slices else None
    for name, rows in slices.rows():
        if whole is None or not rows.any():
            continue
        part = part_of(whole, rows)
        for metric in metrics:
            try:
                computed = compute(part, [metric])
            except NotStored:
                continue
            except MetricError as error:
                notes.append(f"{name}: {error}")
                continue
            numbers |= {f"{SLICE}/{name}/{key}": value for key, value in computed.items()}
    return numbers, list(dict.fromkeys(notes))


def _compact(predictions: Predictions, metrics: Sequence[Metric]) -> StoredPredictions:
    """Return what is stored of predictions without vectors, so that the same numbers come out of the file."""
    if isinstance(predictions, StoredPredictions):
        return predictions.compact
    ranked = needs_embeddings(metrics) and predictions.retrieval and predictions.unranked is None
    return StoredPredictions(
        predictions.logits,
        predictions.labels,
        multi_label=predictions.multi_label,
        owner=predictions.owner,
        groups=predictions.groups,
        answers=predictions.answers,
        thresholds=predictions.thresholds,
        stored_ranks=predictions.ranks if ranked else {},
        elsewhere=predictions.gallery is not None,
    )


def part_of(whole: StoredPredictions, rows: np.ndarray) -> StoredPredictions:
    """Return the predictions of some items; their queries keep their places in the whole gallery.

    Where a direction has no query of them left, or the file does not say which query is whose, nothing is ranked.

    Args:
        whole: compact predictions.
        rows: bool (n,), at least one of them.
    """
    captions = rows[whole.owner]
    ranks: dict[str, Ranks] = {}
    for direction, ranked in whole.stored_ranks.items():
        queries = whole.queries(direction)
        items = queries if direction == "i2t" else whole.owner[queries]
        if len(queries) != len(ranked.above) or not rows[items].any():
            ranks = {}
            break
        keep = rows[items]
        all_queries = rows if direction == "i2t" else captions
        ranks[direction] = Ranks(
            **{part: getattr(ranked, part)[keep] for part in RANK_PARTS},
            gallery=ranked.gallery,
            skipped=int(all_queries.sum() - keep.sum()),
        )
    number = np.cumsum(rows) - 1
    owner = number[whole.owner[captions]] if captions.any() else np.arange(rows.sum())
    return replace(
        whole,
        logits=None if whole.logits is None else whole.logits[rows],
        labels=whole.labels[rows],
        owner=owner,
        groups=whole.groups[rows],
        answers=None if whole.answers is None else _answers_of(whole.answers, rows),
        stored_ranks=ranks,
        positions=whole.positions[rows] if len(whole.positions) else whole.positions,
        slices=Slices(),
        _folds={},
        _kept={},
        _counts={},
    )


def _answers_of(answers: Answers, rows: np.ndarray) -> Answers:
    keep = rows[answers.item]
    item = (np.cumsum(rows) - 1)[answers.item[keep]]
    return Answers(item, answers.label[keep], answers.count[keep], answers.given[rows])
