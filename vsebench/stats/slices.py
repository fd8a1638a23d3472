"""The rows of a board on each slice of the test items, by the functions that compare them on all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vsebench.ops.ranking import DIRECTIONS
from vsebench.runs.item_scores import ItemScores, of_items
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.bootstrap import ratios, resampled
from vsebench.stats.compared_metrics import Measure, measures, sums
from vsebench.stats.rank_groups import Interval, item_intervals
from vsebench.stats.rows import views


@dataclass(frozen=True)
class SliceValue:
    """A row's number on a slice: mean over seeds, as a share, and its interval over the slice's items."""

    value: float
    interval: Interval


def slice_sizes(item_scores: ItemScores) -> dict[str, int]:
    """Return the number of items of each slice that has any, fields and values in order."""
    return {name: int(rows.sum()) for name, rows in item_scores.slices.rows() if rows.any()}


def slice_values(
    snapshot: Snapshot, item_scores: ItemScores, section: str, measure: Measure
) -> dict[str, Mapping[str, SliceValue]]:
    """Return slice -> row name -> value, of the slices with items (of retrieval, with queries both ways)."""
    rows = views(snapshot, section)
    results: dict[str, Mapping[str, SliceValue]] = {}
    for name, members in item_scores.slices.rows():
        if not members.any():
            continue
        part = of_items(item_scores, members)
        if measure.depths and not all(len(part.query_items.get(way, ())) for way in DIRECTIONS):
            continue
        of_part = sums(rows, part, measure)
        if of_part is None:
            continue
        value: np.ndarray = ratios(of_part.total, of_part.count)
        intervals = item_intervals(of_part, value, resampled(of_part.total, of_part.count))
        results[name] = {
            row.row.name: SliceValue(float(one), interval)
            for row, one, interval in zip(of_part.rows, value, intervals, strict=True)
        }
    return results


def slice_measure(snapshot: Snapshot, section: str) -> Measure | None:
    """Return what slices of a section are compared by: accuracy (VQA's where there is one), else recall."""
    return next(iter(measures(snapshot, section)), None)
