"""Outcomes of a board's runs, gathered from the predictions that lie in their folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vsebench.components.metric._answers import Answers
from vsebench.components.metric.accuracy import correct
from vsebench.components.metric.base import Predictions
from vsebench.components.metric.vqa_accuracy import item_accuracy
from vsebench.core.errors import DataError, Place
from vsebench.core.files import set_aside
from vsebench.core.terminal import say
from vsebench.core.types import OWN_SPLIT, Result
from vsebench.ops.ranking import Ranks
from vsebench.runs.item_scores import (
    DIRECTIONS,
    RANK_PARTS,
    Outcomes,
    check,
    clusters_of,
    differing,
    items_file,
    load,
    numbered,
    save,
)
from vsebench.runs.snapshot import Snapshot

PREDICTIONS = "predictions-test.npz"


def update(snapshot: Snapshot, runs: Path, board: Path, *, groups: np.ndarray | None = None) -> list[str]:
    """Write the outcomes of a board's finished runs beside it. Returns the ids of runs that have none.

    A run without a folder here keeps the outcomes that the board had of it. Nothing is written where no run has any.
    What is damaged is said: a run's predictions are left out, and the board's file is set aside once it can be written
    again.

    Args:
        runs: the folder of all experiments' runs.
        board: the leaderboard folder.
        groups: int64, of every item of the dataset file, equal for those that are drawn together. Without it they are
            as the board had them, or what the predictions say.
    """
    file = items_file(board, snapshot.experiment)
    known, damaged = None, ""
    try:
        known = load(file) if file.is_file() else None
    except DataError as error:
        damaged = str(error)
    if known is not None and known.fingerprint != snapshot.dataset["fingerprint"]:
        known = None
    outcomes = gather(snapshot, runs / snapshot.experiment, known)
    finished = {run for run, result in snapshot.results.items() if result.status == "finished"}
    if outcomes is None:
        return sorted(finished)
    if groups is not None:
        outcomes = replace(outcomes, clusters=numbered(groups[outcomes.positions]))
    elif known is not None and np.array_equal(known.positions, outcomes.positions):
        outcomes = replace(outcomes, clusters=known.clusters)
    check(snapshot, outcomes, Place(str(file)))
    if damaged:
        say(f"{damaged} It is set aside as {set_aside(file).name} and made again from the runs.", error=True)
    save(outcomes, file)
    return sorted(finished - outcomes.runs)


def gather(snapshot: Snapshot, folder: Path, known: Outcomes | None = None) -> Outcomes | None:
    """Return the outcomes of a board's finished runs; None where no run has any.

    A run whose predictions are damaged, of other items than those before them, or not those of its result, is named
    and left out.

    Args:
        folder: of the experiment's runs.
        known: what was gathered before; of a run whose result it agrees with nothing is read again.
    """
    found: Outcomes | None = None
    right: dict[str, dict[str, np.ndarray]] = {}
    ranks: dict[str, dict[str, Ranks]] = {}
    asked: dict[str, np.ndarray] = {}
    for run, result in sorted(snapshot.results.items()):
        if result.status != "finished":
            continue
        own = known if known is not None and run in known.runs and differing(known, result) is None else None
        if own is None:
            try:
                own = _read_fitting(folder / run / PREDICTIONS, result, snapshot.gallery, found)
            except DataError as error:
                say(f"{error} Run {run} is left out of intervals over items and tests.", error=True)
        if own is None or run not in own.runs:
            continue
        found = found or own
        for name, by_run in own.right.items():
            if run in by_run:
                right.setdefault(name, {})[run] = by_run[run]
        for way, by_rank in own.ranks.items():
            if run in by_rank:
                queries = asked.setdefault(way, own.asked[way])
                # A system of features has one query an item where others have one a caption: no pairs to be compared.
                if np.array_equal(queries, own.asked[way]):
                    ranks.setdefault(way, {})[run] = by_rank[run]
    if found is None or not (right or ranks):
        return None
    return Outcomes(found.fingerprint, found.positions, found.clusters, right, ranks, asked)


def _read_fitting(file: Path, result: Result, gallery: str, before: Outcomes | None) -> Outcomes | None:
    """Return a run's outcomes; None without a file.

    Raises: DataError when they are damaged, of other items than those before, or not those of the result.
    """
    if not file.is_file():
        return None
    own = read(file, result, gallery)
    if before is not None and not np.array_equal(own.positions, before.positions):
        raise DataError("predictions of other test items than those of the runs before.", place=Place(str(file)))
    if (wrong := differing(own, result)) is not None:
        key, value, said = wrong
        raise DataError(f"predictions give {key} {value:.6g}, the result says {said:.6g}.", place=Place(str(file)))
    return own


def read(file: Path, result: Result, gallery: str = OWN_SPLIT) -> Outcomes:
    """One run's outcomes.

    Raises: DataError when the file is damaged.
    """
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        run, clusters = result.run_id, clusters_of(arrays["groups"], result.dataset)
        asked: dict[str, np.ndarray] = {}
        ranks: dict[str, dict[str, Ranks]] = {}
        for way in DIRECTIONS:
            if f"{way}/above" not in arrays:
                continue
            queries = _queries(arrays, way, gallery)
            if len(queries) == len(arrays[f"{way}/above"]):
                order = np.argsort(queries, kind="stable")  # a combination keeps its captions in another order
                above, tied, tied_relevant, relevant = (
                    arrays[f"{way}/{part}"][order].astype(np.int64) for part in RANK_PARTS
                )
                asked[way] = queries[order]
                ranks[way] = {
                    run: Ranks(above, tied, tied_relevant, relevant, gallery=_offered(arrays, way), skipped=0)
                }
        fingerprint = str(result.dataset["fingerprint"])
        right = {name: {run: values} for name, values in _right(arrays).items()}
        return Outcomes(fingerprint, arrays["positions"], clusters, right, ranks, asked)
    except DataError:
        raise
    except Exception as error:  # numpy, zipfile and zlib each have their own for a damaged file
        raise DataError(f"not a file of predictions: {error}.", place=Place(str(file))) from None


def pairs_of(a: Outcomes, b: Outcomes, run: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pair what two collections hold of one run: the numbers of each by name, empty where one has none."""
    both = [_arrays(a, run), _arrays(b, run)]
    nothing = np.zeros(0)
    return {name: (both[0].get(name, nothing), both[1].get(name, nothing)) for name in {**both[0], **both[1]}}


def _arrays(outcomes: Outcomes, run: str) -> dict[str, np.ndarray]:
    found = {"positions": outcomes.positions}
    found |= {name: by_run[run] for name, by_run in outcomes.right.items() if run in by_run}
    for way, by_rank in outcomes.ranks.items():
        if run in by_rank:
            found[f"{way}.asked"] = outcomes.asked[way]
            found |= {f"{way}.{part}": getattr(by_rank[run], part) for part in RANK_PARTS}
    return found


def united(parts: Sequence[Outcomes], snapshot: Snapshot) -> Outcomes | None:
    """Outcomes of several boards as those of one that has all their results; of a run that several know, the first
    that its result agrees with. None where nobody knows any.

    Raises: DataError when they are of different items, or none agrees with a result.
    """
    right: dict[str, dict[str, np.ndarray]] = {}
    ranks: dict[str, dict[str, Ranks]] = {}
    asked: dict[str, np.ndarray] = {}
    taken: set[str] = set()
    for part in parts:
        if not np.array_equal(part.positions, parts[0].positions):
            raise DataError("per-item outcomes are of different test items and cannot be joined.")
        for run in sorted(part.runs & set(snapshot.results)):
            if run in taken or differing(part, snapshot.results[run]) is not None:
                continue
            taken.add(run)
            for name, by_run in part.right.items():
                if run in by_run:
                    right.setdefault(name, {})[run] = by_run[run]
            for way, by_rank in part.ranks.items():
                if run not in by_rank:
                    continue
                if np.array_equal(asked.setdefault(way, part.asked[way]), part.asked[way]):
                    ranks.setdefault(way, {})[run] = by_rank[run]
    if not (right or ranks):
        return None
    found = Outcomes(parts[0].fingerprint, parts[0].positions, parts[0].clusters, right, ranks, asked)
    check(snapshot, found)
    return found


def _right(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """How right each answer is; nothing of items with several labels, where it is no matter of one answer."""
    if "logits" not in arrays or arrays["labels"].ndim > 1:
        return {}
    answers = None
    if "answers/item" in arrays:
        answers = Answers(*(arrays[f"answers/{name}"] for name in ("item", "label", "count", "given")))
    predictions = Predictions(arrays["logits"], arrays["labels"], answers=answers)
    found = {"accuracy": correct(predictions, 1)}
    return found if answers is None else {**found, "vqa_accuracy": item_accuracy(predictions)}


def _queries(arrays: Mapping[str, np.ndarray], way: str, gallery: str) -> np.ndarray:
    """Return the item of each query that has a relevant one; with another gallery only where every query has."""
    items, owner, groups = np.arange(len(arrays["positions"])), arrays["owner"], arrays["groups"]
    if gallery != OWN_SPLIT:
        return items if way == "i2t" else owner
    return items[np.isin(groups, groups[owner])] if way == "i2t" else owner


def _offered(arrays: Mapping[str, np.ndarray], way: str) -> int:
    owner = arrays.get("gallery/owner", arrays["owner"])
    images = arrays.get("gallery/positions", arrays["positions"])
    return len(owner) if way == "i2t" else len(images)
