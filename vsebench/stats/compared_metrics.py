"""The numbers of a board that are means over test items, as sums over clusters of items."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vsebench.core.metric_specs import Mode, mode_of
from vsebench.ops.ranking import DIRECTIONS
from vsebench.runs.item_scores import ItemScores
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.rows import RowView, views

RSUM = "rsum"
_RECALL = re.compile(r"test/(?:i2t|t2i)/recall@(\d+)")


@dataclass(frozen=True)
class Measure:
    """What rows are compared by.

    Args:
        name: ``accuracy``, ``vqa_accuracy`` or ``recall``.
        title: for a reader.
        scale: what a share is multiplied by to be shown.
        unit: what the shown number counts.
        depths: the k of R@k; empty of classification.
        resampled: whether it is no mean over items, and known by its values on resamples; its name is its key then.
        mode: ``min`` where the smallest value is the best.
    """

    name: str
    title: str
    scale: float = 100.0
    unit: str = "points"
    depths: tuple[int, ...] = ()
    resampled: bool = False
    mode: Mode = "max"

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.mode == "max" else -1

    @property
    def digits(self) -> int:
        """Decimals of the shown number."""
        return 1 if self.scale > 1 else 3

    @property
    def mean_of_columns(self) -> bool:
        """Whether no column of a board has the number itself."""
        return bool(self.depths) and self.title != RSUM

    @property
    def heading(self) -> str:
        """What heads a column."""
        return self.title if not self.mean_of_columns else "Mean R@" + "/".join(str(k) for k in self.depths)

    def value(self, row: RowView, split: str) -> float | None:
        """Return a row's mean over seeds on a split, as a share; None where a result lacks it."""
        keys = [f"{split}/{way}/recall@{k}" for way in DIRECTIONS for k in self.depths] or [f"{split}/{self.name}"]
        results = [estimate.mean for key in keys if (estimate := row.estimate(key)) is not None]
        return sum(results) / len(keys) if len(results) == len(keys) else None


def measures(snapshot: Snapshot, section: str) -> list[Measure]:
    """Return the metrics of a section that are means over items: accuracy (VQA's where there is one) and recall."""
    keys = {key for row in views(snapshot, section) for r in row.results for key in r.metrics}
    results = []
    if "test/vqa_accuracy" in keys:
        results.append(Measure("vqa_accuracy", "VQA accuracy"))
    elif "test/accuracy" in keys:
        results.append(Measure("accuracy", "accuracy"))
    depths = tuple(sorted({int(m[1]) for key in keys if (m := _RECALL.fullmatch(key))}))
    if depths and "test/rsum" in keys:
        results.append(Measure("recall", RSUM, 600.0, "points of rsum", (1, 5, 10)))
    elif depths:
        listing = "/".join(str(k) for k in depths)
        results.append(Measure("recall", f"mean R@{listing} of both directions", depths=depths))
    return results


def resampled_measures(snapshot: Snapshot, section: str, item_scores: ItemScores) -> list[Measure]:
    """Return the numbers of a section that are known by their values on resamples, in the order of the results."""
    keys = dict.fromkeys(key for row in views(snapshot, section) for r in row.results for key in r.metrics)
    results = []
    for key in (key.removeprefix("test/") for key in keys if key.startswith("test/")):
        mode = mode_of(key)
        if key in item_scores.resampled and mode is not None:
            share = mode == "max"  # of those that are resampled, what is to be large is a share
            scale, unit = (100.0, "points") if share else (1.0, key)
            results.append(Measure(key, key, scale, unit, resampled=True, mode=mode))
    return results


@dataclass(frozen=True)
class Sums:
    """Rows of a table, cluster by cluster.

    Args:
        rows: those whose every run has outcomes, in the order of the board.
        total: float64 (m, R, P), sums over a cluster's items of scores, which are means over a row's seeds.
        count: float64 (m, P), items of a cluster.
        seeds: each row's seeds' own values.
        binary: of a row with one seed, float64 (n,) where every item is a cluster and right or wrong; else None.
        of_items: of each row, how much single items that come out otherwise with each seed move one seed's value, as a
            variance; 0 of a row with one seed.
    """

    rows: Sequence[RowView]
    total: np.ndarray
    count: np.ndarray
    seeds: Sequence[Sequence[float]]
    binary: Sequence[np.ndarray | None]
    of_items: Sequence[float]


@dataclass(frozen=True)
class Resamples:
    """Rows of a table by a number that is no mean over items.

    Args:
        rows: those whose every run has values on resamples, in the order of the board.
        value: float64 (R,), means over a row's seeds.
        samples: float64 (B, R), on the same resamples for every row; those that lack what the number is of left out.
        seeds: each row's seeds' own values.
        of_items: as of :class:`Sums`.
        clusters: how many were resampled.
        share: whether the number is in [0, 1].
    """

    rows: Sequence[RowView]
    value: np.ndarray
    samples: np.ndarray
    seeds: Sequence[Sequence[float]]
    of_items: Sequence[float]
    clusters: int
    share: bool


def resamples_of(rows: Sequence[RowView], item_scores: ItemScores, measure: Measure) -> Resamples | None:
    """Gather the values on resamples of the rows that have them; None where none has."""
    by_run, key = item_scores.resampled.get(measure.name, {}), f"test/{measure.name}"
    known = [row for row in rows if all(r.run_id in by_run and key in r.metrics for r in row.results)]
    if not known:
        return None
    of_runs = [np.stack([by_run[r.run_id] for r in row.results]) for row in known]
    whole = ~np.any([np.isnan(values).any(0) for values in of_runs], axis=0)
    seeds = [[r.metrics[key] for r in row.results] for row in known]
    clusters = len(np.unique(item_scores.clusters))
    return resamples(known, [values[:, whole] for values in of_runs], seeds, clusters, share=measure.mode == "max")


def resamples(
    rows: Sequence[RowView],
    samples: Sequence[np.ndarray],
    seeds: Sequence[Sequence[float]],
    clusters: int,
    *,
    share: bool,
) -> Resamples:
    """Average over seeds.

    Args:
        rows: what the values are of; none where no board knows them.
        samples: of each row, float64 (seeds, B).
        seeds: of each row, its seeds' own values.
        clusters: how many were resampled.
        share: whether the number is in [0, 1].
    """
    value = np.array([np.mean(values) for values in seeds])
    mean = np.stack([values.mean(0) for values in samples], axis=1)
    apart = [values - values.mean(0) for values in samples]
    of_items = [float(row.var(1).sum()) / max(1, len(row) - 1) for row in apart]
    return Resamples(rows, value, mean, seeds, of_items, clusters, share)


def sums(rows: Sequence[RowView], item_scores: ItemScores, measure: Measure) -> Sums | None:
    """Compute sums over clusters of the rows that have outcomes; None where none has."""
    clusters = np.unique(item_scores.clusters, return_inverse=True)[1]
    scores = {
        r.run_id: result for row in rows for r in row.results if (result := _scores(item_scores, measure, r.run_id))
    }
    scored_rows = [row for row in rows if all(r.run_id in scores for r in row.results)]
    if not scored_rows:
        return None
    belongs = [clusters[item_scores.query_items[way]] for way in DIRECTIONS] if measure.depths else [clusters]
    return summed(scored_rows, [[scores[r.run_id] for r in row.results] for row in scored_rows], belongs)


def summed(
    rows: Sequence[RowView], scores: Sequence[Sequence[Sequence[np.ndarray]]], belongs: Sequence[np.ndarray]
) -> Sums:
    """Sum scores over clusters.

    Args:
        rows: what the scores are of; none where no board knows them.
        scores: of each row, seed by seed and part by part, float (items of the part,).
        belongs: of each part, its items' clusters, numbered from 0 over all parts.
    """
    size = max(int(b.max()) for b in belongs) + 1
    count = np.stack([np.bincount(b, minlength=size) for b in belongs], axis=1).astype(np.float64)
    total = np.zeros((size, len(scores), len(belongs)))
    seeds: list[list[float]] = []
    binary: list[np.ndarray | None] = []
    of_items: list[float] = []
    for at, current in enumerate(scores):
        apart = np.zeros((len(current), size))
        for part, where in enumerate(belongs):
            values = np.stack([one[part] for one in current])
            total[:, at, part] = np.bincount(where, values.mean(0), size)
            centred = values - values.mean(0)
            centred -= centred.mean(1, keepdims=True)
            apart += [np.bincount(where, one, size) / (len(where) * len(belongs)) for one in centred]
        of_items.append(float((apart**2).sum()) / max(1, len(current) - 1) * size / max(1, size - 1))
        seeds.append([float(np.mean([part.mean() for part in one])) for one in current])
        plain = (
            len(current) == 1
            and len(belongs) == 1
            and size == len(belongs[0])
            and bool(np.isin(current[0][0], (0, 1)).all())
        )
        binary.append(current[0][0] if plain else None)
    return Sums(rows, total, count, seeds, binary, of_items)


def _scores(item_scores: ItemScores, measure: Measure, run: str) -> list[np.ndarray]:
    """Return a run's score of each item, part by part; empty where it has no outcomes of the metric."""
    if not measure.depths:
        result = item_scores.right.get(measure.name, {}).get(run)
        return [] if result is None else [result]
    if any(run not in item_scores.ranks.get(way, {}) for way in DIRECTIONS):
        return []
    return [np.mean([item_scores.ranks[way][run].hit(k) for k in measure.depths], axis=0) for way in DIRECTIONS]
