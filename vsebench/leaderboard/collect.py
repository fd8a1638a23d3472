"""Outcomes of a board's runs, gathered from the predictions that lie in their folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vsebench.components.metric.accuracy import correct
from vsebench.components.metric.base import Predictions
from vsebench.components.metric.vqa_accuracy import item_accuracy
from vsebench.core.errors import DataError, Place
from vsebench.core.files import set_aside
from vsebench.core.metric_specs import Metric
from vsebench.core.terminal import say
from vsebench.core.types import Result
from vsebench.leaderboard.published import publish
from vsebench.leaderboard.resampled_runs import EXCLUDED, SPLIT, add_resampled, resampled_metrics
from vsebench.ops.ranking import RANK_PARTS, Ranks
from vsebench.ops.slices import Slices
from vsebench.runs.item_scores import (
    ItemScores,
    check,
    clusters_of,
    differing,
    items_file,
    load,
    numbered,
    save,
)
from vsebench.runs.predictions import load_predictions, predictions_file
from vsebench.runs.snapshot import Snapshot


def update(
    snapshot: Snapshot, runs: Path, board: Path, *, groups: np.ndarray | None = None, slices: Slices | None = None
) -> list[str]:
    """Write the outcomes of a board's finished runs beside it, and their curves and confusion matrices. Returns the ids
    of runs without outcomes.

    A run without a folder here keeps the outcomes that the board had of it. Nothing is written where no run has any.
    What is damaged is said: a run's predictions are left out, and the board's file is set aside once it can be written
    again.

    Args:
        snapshot: the board's content.
        runs: the folder of all experiments' runs.
        board: the leaderboard folder.
        groups: int64, of every item of the dataset file, equal for those that are drawn together. Without it they are
            as the board had them, or what the predictions say.
        slices: of every item of the dataset file. Without them they are as the predictions, or the board, had them.
    """
    publish(snapshot, runs, board)
    file = items_file(board, snapshot.experiment)
    known, damaged = None, ""
    try:
        known = load(file) if file.is_file() else None
    except DataError as error:
        damaged = str(error)
    if known is not None and known.fingerprint != snapshot.dataset["fingerprint"]:
        known = None
    item_scores = gather(snapshot, runs / snapshot.experiment, known, groups)
    finished = {run for run, result in snapshot.results.items() if result.status == "finished"}
    if item_scores is None:
        return sorted(finished)
    if slices:
        item_scores = replace(item_scores, slices=slices.take(item_scores.positions))
    elif known is not None and not item_scores.slices and np.array_equal(known.positions, item_scores.positions):
        item_scores = replace(item_scores, slices=known.slices)
    check(snapshot, item_scores, Place(str(file)))
    if damaged:
        say(f"{damaged} It is set aside as {set_aside(file).name} and made again from the runs.", error=True)
    save(item_scores, file)
    return sorted(finished - item_scores.runs)


def gather(
    snapshot: Snapshot, folder: Path, known: ItemScores | None = None, groups: np.ndarray | None = None
) -> ItemScores | None:
    """Return the outcomes of a board's finished runs; None where no run has any.

    A run whose predictions are damaged, of other items than those before them, or not those of its result, is named
    and left out.

    Args:
        snapshot: the board's content.
        folder: of the experiment's runs.
        known: what was gathered before; of a run whose result it agrees with nothing is read again, unless it lacks
            resampled values and the run's folder is there.
        groups: int64, of every item of the dataset file, as :func:`update` has them.
    """

    def clusters(scores: ItemScores) -> np.ndarray:
        if groups is not None:
            return numbered(groups[scores.positions])
        same = known is not None and np.array_equal(known.positions, scores.positions)
        return known.clusters if known is not None and same else scores.clusters

    if known is not None and not np.array_equal(clusters(known), known.clusters):
        known = replace(known, clusters=clusters(known), resampled={})
    results: ItemScores | None = None
    slices = Slices()
    right: dict[str, dict[str, np.ndarray]] = {}
    ranks: dict[str, dict[str, Ranks]] = {}
    query_items: dict[str, np.ndarray] = {}
    values: dict[str, dict[str, np.ndarray]] = {}
    unknown: dict[str, dict[str, Metric]] = {}
    for run, result in sorted(snapshot.results.items()):
        if result.status != "finished":
            continue
        # The run's folder may be gone: what the board's file knows is used as long as it agrees with the result.
        scores = known if known is not None and run in known.runs and differing(known, result) is None else None
        wanted = resampled_metrics(result)
        if scores is None or (_lacks(scores, run, wanted) and predictions_file(folder / run, SPLIT).is_file()):
            try:
                scores = _read_fitting(folder / run, result, results)
                unknown |= {run: wanted} if scores is not None and wanted else {}
            except DataError as error:
                say(f"{error} {EXCLUDED.format(run=run)}", error=True)
        if scores is None or run not in (scores.runs | unknown.keys()):
            continue
        results, slices = results or replace(scores, clusters=clusters(scores)), slices or scores.slices
        for name, by_run in scores.resampled.items():
            if run in by_run:
                values.setdefault(name, {})[run] = by_run[run]
        for name, by_run in scores.right.items():
            if run in by_run:
                right.setdefault(name, {})[run] = by_run[run]
        for way, by_rank in scores.ranks.items():
            if run in by_rank:
                queries = query_items.setdefault(way, scores.query_items[way])
                # A system of features has one query an item where others have one a caption: no pairs to be compared.
                if np.array_equal(queries, scores.query_items[way]):
                    ranks.setdefault(way, {})[run] = by_rank[run]
    if results is None:
        return None
    add_resampled(values, folder, {run: (snapshot.results[run], wanted) for run, wanted in unknown.items()}, results)
    if not (right or ranks or values):
        return None
    return replace(results, right=right, ranks=ranks, query_items=query_items, slices=slices, resampled=values)


def _lacks(scores: ItemScores, run: str, wanted: Iterable[str]) -> bool:
    return any(run not in scores.resampled.get(key, {}) for key in wanted)


def _read_fitting(folder: Path, result: Result, before: ItemScores | None) -> ItemScores | None:
    """Return a run's outcomes; None without a file.

    Raises: DataError when they are damaged, of other items than those before, or not those of the result.
    """
    file = predictions_file(folder, SPLIT)
    if not file.is_file():
        return None
    run_result = read(folder, result)
    if before is not None and not np.array_equal(run_result.positions, before.positions):
        raise DataError("predictions for different test items than those of the other runs.", place=Place(str(file)))
    if (wrong := differing(run_result, result)) is not None:
        key, value, reason = wrong
        raise DataError(f"predictions give {key} {value:.6g}, the result says {reason:.6g}.", place=Place(str(file)))
    return run_result


def read(folder: Path, result: Result) -> ItemScores:
    """Return one run's outcomes.

    Raises: DataError when its predictions are missing or damaged.
    """
    stored = load_predictions(folder, SPLIT, vectors=False)
    query_items: dict[str, np.ndarray] = {}
    ranks: dict[str, dict[str, Ranks]] = {}
    for way, selected in stored.stored_ranks.items():
        rows = stored.queries(way)
        if len(rows) != len(selected.above):
            continue
        queries = rows if way == "i2t" else stored.owner[rows]
        order = np.argsort(queries, kind="stable")  # a combination keeps its captions in another order
        parts = {part: getattr(selected, part)[order].astype(np.int64) for part in RANK_PARTS}
        query_items[way], ranks[way] = (
            queries[order],
            {result.run_id: Ranks(**parts, gallery=selected.gallery, skipped=0)},
        )
    right = {name: {result.run_id: values} for name, values in _right(stored).items()}
    clusters = clusters_of(stored.groups, result.dataset)
    fingerprint = str(result.dataset["fingerprint"])
    return ItemScores(fingerprint, stored.positions, clusters, right, ranks, query_items, stored.slices)


def pairs_of(a: ItemScores, b: ItemScores, run: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pair what two collections hold of one run: the numbers of each by name, empty where one has none."""
    both = [_arrays(a, run), _arrays(b, run)]
    nothing = np.zeros(0)
    return {name: (both[0].get(name, nothing), both[1].get(name, nothing)) for name in {**both[0], **both[1]}}


def _arrays(item_scores: ItemScores, run: str) -> dict[str, np.ndarray]:
    results = {"positions": item_scores.positions}
    results |= {name: by_run[run] for name, by_run in item_scores.right.items() if run in by_run}
    for way, by_rank in item_scores.ranks.items():
        if run in by_rank:
            results[f"{way}.asked"] = item_scores.query_items[way]
            results |= {f"{way}.{part}": getattr(by_rank[run], part) for part in RANK_PARTS}
    return results


def united(parts: Sequence[ItemScores], snapshot: Snapshot) -> ItemScores | None:
    """Outcomes of several boards as those of one that has all their results; of a run that several know, the first
    that its result agrees with. None where nobody knows any.

    Raises: DataError when they are of different items, or none agrees with a result.
    """
    right: dict[str, dict[str, np.ndarray]] = {}
    ranks: dict[str, dict[str, Ranks]] = {}
    query_items: dict[str, np.ndarray] = {}
    values: dict[str, dict[str, np.ndarray]] = {}
    taken: set[str] = set()
    for part in parts:
        if not np.array_equal(part.positions, parts[0].positions):
            raise DataError("per-item results are for different test items and cannot be joined.")
        for run in sorted(part.runs & set(snapshot.results)):
            # Boards may know a run from different times; only outcomes that give the merged result's numbers are its.
            if run in taken or differing(part, snapshot.results[run]) is not None:
                continue
            taken.add(run)
            for name, by_run in part.resampled.items():
                if run in by_run and np.array_equal(part.clusters, parts[0].clusters):
                    values.setdefault(name, {})[run] = by_run[run]
            for name, by_run in part.right.items():
                if run in by_run:
                    right.setdefault(name, {})[run] = by_run[run]
            for way, by_rank in part.ranks.items():
                if run not in by_rank:
                    continue
                if np.array_equal(query_items.setdefault(way, part.query_items[way]), part.query_items[way]):
                    ranks.setdefault(way, {})[run] = by_rank[run]
    if not (right or ranks or values):
        return None
    slices = next((part.slices for part in parts if part.slices), Slices())
    result = replace(parts[0], right=right, ranks=ranks, query_items=query_items, slices=slices, resampled=values)
    check(snapshot, result)
    return result


def _right(predictions: Predictions) -> dict[str, np.ndarray]:
    """Return how right each answer is; nothing of items with several labels, where it is no matter of one answer."""
    if predictions.logits is None or predictions.multi_label:
        return {}
    right = {"accuracy": correct(predictions, 1)}
    return right if predictions.answers is None else {**right, "vqa_accuracy": item_accuracy(predictions)}
