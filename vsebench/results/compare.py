"""Two runs side by side: what they are, what came of them, and where they disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vsebench.components.metric.accuracy import correct
from vsebench.core.errors import DataError, Place
from vsebench.core.metric_specs import metric_entry
from vsebench.core.types import OWN_SPLIT, Result
from vsebench.results.leaves import ABSENT, differing, leaves
from vsebench.results.original import OnBoard, find_on_boards
from vsebench.results.paired_runs import Paired, compare_right
from vsebench.runs.find import find_run, finished_result
from vsebench.runs.item_scores import ItemScores, clusters_of, usable
from vsebench.runs.predictions import StoredPredictions, load_predictions
from vsebench.runs.snapshot import SYSTEM_FORM
from vsebench.runs.store import read_run_file

DIRECTIONS = {"i2t": "i2t/recall@1", "t2i": "t2i/recall@1"}


@dataclass(frozen=True)
class Side:
    """A run that is compared.

    Args:
        said: what its run file says, or as much of it as a board does.
        predictions: of a split; None where only a board knows the run.
        item_scores: what its board keeps of every test item; None where there is none, or predictions are at hand.
    """

    config: Mapping[str, Any]
    result: Result
    predictions: StoredPredictions | None = None
    item_scores: ItemScores | None = None

    @property
    def name(self) -> str:
        """How messages say it."""
        return f"{self.result.system}, seed {self.result.seed} (run {self.result.run_id})"


@dataclass(frozen=True)
class Disagreement:
    """Queries that one run gets right and the other wrong.

    Args:
        key: ``accuracy`` or ``i2t/recall@1``.
        items: int64 (k,), rows of the split.
        captions: int64 (k,), which caption of the item asks; -1 where the item does.
        answers: what both runs said: a class, or the expected rank of the first right one.
        right: ``a`` or ``b``.
    """

    key: str
    right: str
    items: np.ndarray
    captions: np.ndarray
    answers: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """What came of it. ``config``: dotted name -> what both say, only what differs; ``metrics``: key without split."""

    a: Side
    b: Side
    split: str
    config: Mapping[str, tuple[Any, Any]]
    metrics: Mapping[str, tuple[float | None, float | None]]
    tests: Sequence[Paired]
    disagreements: Sequence[Disagreement]
    notes: Sequence[str]


def read_side(reference: str, runs: Path, split: str) -> Side:
    """Load a finished run and its stored predictions of a split.

    Raises: DataError for a run that is unknown, not finished or without predictions of the split.
    """
    folder = find_run(reference, runs)
    run_config = read_run_file(folder)
    result = finished_result(folder, str(run_config["run_id"]))
    return Side(run_config, result, load_predictions(folder, split))


def read_sides(a: str, b: str, runs: Path, board: Path, split: str) -> tuple[Side, Side, list[str]]:
    """Both runs: from their folders, or from their boards where one of the folders is not at hand.

    Returns: the sides, and what is then missing, in words.

    Raises: DataError for a run that is unknown to folders and boards, or not finished.
    """
    try:
        return read_side(a, runs, split), read_side(b, runs, split), []
    except DataError as error:
        sides = [find_on_boards(message, board) for message in (a, b)]
        if sides[0] is None or sides[1] is None:
            raise
        return _of_board(sides[0]), _of_board(sides[1]), [f"{error} Both runs are read from their boards."]


def _of_board(on: OnBoard) -> Side:
    result, snapshot = on.result, on.snapshot
    if result.status != "finished":
        raise DataError(f"run {on.run_id} is not finished; there is nothing to compare.", place=Place(str(on.file)))
    facts = {
        "seed": result.seed,
        "metrics": sorted({metric_entry(key) for key in result.metrics}),
        "select": dict(snapshot.select),
        "plugins": [],
        "gallery": snapshot.gallery,
    }
    item_scores, _ = usable(snapshot, on.folder) if snapshot.form == SYSTEM_FORM else (None, "")
    return Side(facts, result, item_scores=item_scores)


def compare(a: Side, b: Side, split: str) -> Comparison:
    """Compare two runs on the same items.

    Raises: DataError for runs of other data, items or galleries.
    """
    check_comparable(a, b)
    notes: list[str] = []
    tests: list[Paired] = []
    apart: list[Disagreement] = []
    if a.predictions is not None and b.predictions is not None:
        clusters = clusters_of(a.predictions.groups, a.result.dataset)
        for key, question in _rights(a.predictions, b.predictions, notes).items():
            tests.append(compare_right(key, question.a, question.b, clusters[question.items]))
            apart += [question.disagreement(key, "a"), question.disagreement(key, "b")]
    else:
        tests = _tests_on_board(a, b, split, notes)
    of = [_of_split(side.result, split) for side in (a, b)]
    return Comparison(
        a,
        b,
        split,
        config=_configurations(a, b),
        metrics={key: (of[0].get(key), of[1].get(key)) for key in dict.fromkeys([*of[0], *of[1]])},
        tests=tests,
        disagreements=apart,
        notes=notes,
    )


def check_comparable(a: Side, b: Side) -> None:
    """Refuse runs whose numbers are not of the same items.

    Raises: DataError that says what differs: dataset, items of the split, gallery, version of a metric.
    """
    for noun, one, other in (
        ("dataset (fingerprint)", *(s.result.dataset.get("fingerprint") for s in (a, b))),
        ("gallery", *(s.config.get("gallery", OWN_SPLIT) for s in (a, b))),
    ):
        if one != other:
            raise DataError(f"these runs cannot be compared: {noun} is {one} of {a.name} and {other} of {b.name}.")
    items = [known.positions for s in (a, b) if (known := s.predictions or s.item_scores) is not None]
    if len(items) == 2 and not np.array_equal(items[0], items[1]):
        counts = [len(of) for of in items]
        raise DataError(
            f"these runs cannot be compared: they were evaluated on other items ({counts[0]:,} of {a.name}, "
            f"{counts[1]:,} of {b.name})."
        )
    versions = [s.result.metric_versions for s in (a, b)]
    for name in sorted(set(versions[0]) & set(versions[1])):
        if versions[0][name] != versions[1][name]:
            raise DataError(
                f"these runs cannot be compared: {a.name} was measured by version {versions[0][name]} of {name}, "
                f"{b.name} by version {versions[1][name]}."
            )


def _tests_on_board(a: Side, b: Side, split: str, notes: list[str]) -> list[Paired]:
    """Paired tests from what boards keep of every test item."""
    missing = "which items they disagree on, and what each run answered, stands in predictions alone; sweep again"
    if split != "test" or a.item_scores is None or b.item_scores is None:
        what = "per-item outcomes are of test alone" if split != "test" else "a board has no per-item outcomes"
        notes.append(f"there are no paired tests: {what}; {missing}")
        return []
    notes.append(missing)
    one, other, ids = a.item_scores, b.item_scores, (a.result.run_id, b.result.run_id)
    tests = []
    right = [o.right.get("accuracy", {}).get(run) for o, run in zip((one, other), ids, strict=True)]
    if right[0] is not None and right[1] is not None:
        tests.append(compare_right("accuracy", right[0], right[1], one.clusters))
    for direction, key in DIRECTIONS.items():
        ranks = [o.ranks.get(direction, {}).get(run) for o, run in zip((one, other), ids, strict=True)]
        if ranks[0] is None or ranks[1] is None:
            continue
        if not np.array_equal(one.query_items[direction], other.query_items[direction]):
            notes.append(f"{key} is not tested: the runs do not ask the same queries (one has other captions)")
            continue
        tests.append(compare_right(key, ranks[0].hit(1), ranks[1].hit(1), one.clusters[one.query_items[direction]]))
    return tests


def _of_split(result: Result, split: str) -> dict[str, float]:
    prefix = f"{split}/"
    return {key.removeprefix(prefix): value for key, value in result.metrics.items() if key.startswith(prefix)}


def _configurations(a: Side, b: Side) -> dict[str, tuple[Any, Any]]:
    """Return the settings that differ; a missing setting is skipped where the other run's stands below it."""
    result = differing(*(leaves(_configuration(side)) for side in (a, b)))
    above = {name.rsplit(".", depth)[0] for name in result for depth in range(1, name.count(".") + 1)}
    empty = [name for name, both in result.items() if ABSENT in both and any(one in (None, {}, []) for one in both)]
    dropped = {name for name in empty if name in above or {} in result[name] or [] in result[name]}
    return {name: both for name, both in result.items() if name not in dropped}


def _configuration(side: Side) -> dict[str, Any]:
    names = ("seed", "metrics", "select", "plugins")
    return {**{name: side.config[name] for name in names}, **side.result.config}


@dataclass(frozen=True)
class _Asked:
    """Queries of both runs, in one order: what each counts, whose they are, and what was said."""

    a: np.ndarray
    b: np.ndarray
    items: np.ndarray
    captions: np.ndarray
    answers: np.ndarray

    def disagreement(self, key: str, right: str) -> Disagreement:
        first, other = (self.a, self.b) if right == "a" else (self.b, self.a)
        rows = np.flatnonzero((first == 1) & (other == 0))
        return Disagreement(key, right, self.items[rows], self.captions[rows], self.answers[rows])


def _rights(one: StoredPredictions, other: StoredPredictions, notes: list[str]) -> dict[str, _Asked]:
    """Return the quantities on which both runs can be tested."""
    results: dict[str, _Asked] = {}
    if one.logits is not None and other.logits is not None:
        if one.multi_label:
            notes.append("items have several labels; which are right is no yes or no, and is not tested")
        else:
            items = np.arange(len(one.labels))
            predicted = np.stack([p.scored.argmax(1) for p in (one, other)], axis=1)
            nobody = np.full(len(items), -1)
            results["accuracy"] = _Asked(correct(one, 1), correct(other, 1), items, nobody, predicted)
    for direction, key in DIRECTIONS.items():
        if direction not in one.stored_ranks or direction not in other.stored_ranks:
            continue
        sides = [_queries(p, direction) for p in (one, other)]
        if not len(sides[0][0]) or not len(sides[1][0]):
            notes.append(f"{key} is not tested: which queries had nothing to find was not stored")
            continue
        if not all(np.array_equal(x, y) for x, y in zip(sides[0][:2], sides[1][:2], strict=True)):
            notes.append(f"{key} is not tested: the runs do not ask the same queries (one has other captions)")
            continue
        (items, captions, hits, first), (*_, hits_b, first_b) = sides
        results[key] = _Asked(hits, hits_b, items, captions, np.stack([first, first_b], axis=1))
    return results


def _queries(predictions: StoredPredictions, direction: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return a direction's ranked queries item by item, whatever the order in which a tokenizer put captions: item,
    number of the caption (-1: the image asks), hit among the first, and expected rank of the first right one.
    """
    ranks, rows = predictions.stored_ranks[direction], predictions.queries(direction)
    if not len(rows):
        return rows, rows, np.zeros(0), np.zeros(0)
    if direction == "i2t":
        items, captions = rows, np.full(len(rows), -1)
    else:
        items, captions = predictions.owner[rows], predictions.caption_numbers()[rows]
    order = np.lexsort((captions, items))
    return items[order], captions[order], ranks.hit(1)[order], ranks.first()[order]
