"""What a row of the HTML page opens to: its settings, its runs and numbers, and what their folders hold."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vsebench.core.errors import DataError
from vsebench.core.terminal import say
from vsebench.core.types import Result
from vsebench.data.dataset import Dataset
from vsebench.leaderboard.examples import Pictures, Results, dataset_of_run, examples_of, mistakes_of
from vsebench.leaderboard.page import Line, Table
from vsebench.leaderboard.published import Published, RunDetails
from vsebench.leaderboard.run_details import MOST_CLASSES, Classes, Points, classes_of, curves_of
from vsebench.leaderboard.table import printable
from vsebench.runs.snapshot import Snapshot
from vsebench.runs.store import Store
from vsebench.stats.intervals import estimate

#: Of a matrix that is too large to be shown, so many mistakes.
MISTAKES = 25


@dataclass
class Details:
    """What rows open to, as plain data, and what they share.

    Args:
        rows: one for each row of each table, in the tables' order.
        shared: table -> settings that all its rows have.
        order: every setting, in the order in which they are shown.
        keys: every number's name; a row's numbers stand in this order.
        places: versions, hardware and commit that runs refer to.
        labels: names of the classes; empty when the dataset is not at hand.
        pictures: key -> ``data:`` address.
    """

    rows: list[list[dict[str, Any]]] = field(default_factory=list)
    shared: list[dict[str, str]] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    places: list[dict[str, Any]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    pictures: dict[int, str] = field(default_factory=dict)


#: Of a run's folder, what its model finds, or why that cannot be said.
Finder = Callable[[Path], Results | str]


def details_of(
    snapshot: Snapshot,
    tables: Sequence[Table],
    runs: Path | None,
    finder: Finder | None = None,
    rows: int = 0,
    published: Published | None = None,
) -> Details:
    """Gather what the rows of a board open to.

    Args:
        snapshot: the board's content.
        tables: of the page.
        runs: folder of all experiments' runs; what is not there is said to be so in the row. None reads no folder.
        finder: asked of the first ``rows`` rows of each table.
        rows: number of rows of each table that are searched with ``finder``.
        published: curves and confusion matrices that the board keeps, of runs whose folders are not there.

    Raises: DataError for a damaged file of a run.
    """
    views = [line.source for table in tables for line in table.lines]
    results = [r for view in views for r in view.results]
    made = Details(keys=sorted({key for r in results for key in r.metrics}, key=_by_interest))
    store = None if runs is None else Store(runs, snapshot.experiment)
    pictures = Pictures(_dataset(snapshot, store, results))
    published = published or Published()
    labels = published.labels if pictures.dataset is None else pictures.dataset.label_names
    made.labels = [printable(name) for name in labels]
    try:
        for table in tables:
            settings = [flattened(line.source.config) for line in table.lines]
            made.order = list(dict.fromkeys([*made.order, *(key for one in settings for key in one)]))
            made.shared.append(_shared(settings))
            made.rows.append(
                [
                    _row(
                        made,
                        snapshot,
                        line,
                        _without(row_settings, made.shared[-1]),
                        store,
                        published,
                        pictures,
                        finder if number < rows else None,
                    )
                    for number, (line, row_settings) in enumerate(zip(table.lines, settings, strict=True))
                ]
            )
    finally:
        if pictures.dataset is not None:
            pictures.dataset.close()
    made.pictures = pictures.cache
    return made


def flattened(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Flatten settings to lines: ``fusion: gated``, ``fusion.temperature: 1.0``.

    Example:
        >>> flattened({"fusion": {"name": "gated", "options": {"temperature": 1.0}}, "dim": 64})
        {'fusion': 'gated', 'fusion.temperature': '1.0', 'dim': '64'}
    """
    results: dict[str, str] = {}
    for key, value in config.items():
        name = {"name": "", "options": ""}.get(key, key) if prefix else key
        path = ".".join(part for part in (prefix, name) if part)
        if isinstance(value, Mapping):
            results |= flattened(value, path)
        elif isinstance(value, list | tuple) and value and all(isinstance(one, Mapping) for one in value):
            for i, one in enumerate(value, start=1):
                results |= flattened(one, f"{path} {i}")
        else:
            results[printable(path)] = printable(
                value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            )
    return results


def _shared(settings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first = settings[0]
    return {k: v for k, v in first.items() if len(settings) > 1 and all(one.get(k) == v for one in settings)}


def _without(settings: Mapping[str, str], shared: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in settings.items() if k not in shared}


def _dataset(snapshot: Snapshot, store: Store | None, results: Sequence[Result]) -> Dataset | None:
    if store is None:
        return None
    folder = next((f for r in results if (f := store.run_folder(r.run_id)).is_dir()), None)
    try:
        return None if folder is None else dataset_of_run(folder, str(snapshot.dataset["fingerprint"]))
    except DataError as error:
        say(f"{error} The dataset is not searched for.", error=True)
        return None


def _row(
    made: Details,
    snapshot: Snapshot,
    line: Line,
    settings: dict[str, str],
    store: Store | None,
    published: Published,
    pictures: Pictures,
    finder: Finder | None,
) -> dict[str, Any]:
    results = line.source.results
    row: dict[str, Any] = {
        "own": settings,
        "runs": [_run(made, result) for result in results],
        "numbers": [_numbers(key, results) for key in made.keys],
        "notes": sorted({printable(note) for r in results for note in r.notes}),
    }
    folders = {r.run_id: store.run_folder(r.run_id) for r in results} if store is not None else {}
    present = {run: folder for run, folder in folders.items() if folder.is_dir()}
    others = published.of(r for r in results if r.run_id not in present)
    if others:
        _from_board(row, results, others)
    if len(present) < len(results):
        absent = (
            "The folders of this row's runs are" if not present else f"{len(results) - len(present)} run folders are"
        )
        whole = len(others) == len(results) - len(present)
        lost = "other curves and examples" if whole else "training curves, predictions and examples"
        row["absent"] = f"{absent} missing here: {lost} come from them."
    if present:
        try:
            _from_folders(row, snapshot, results, present, others, pictures, finder)
        except DataError as error:  # one damaged file of a run takes nothing from the other rows
            say(f"{error} Its content is not shown.", error=True)
            row["notes"].append(f"Part of this row is not shown: {printable(str(error))}")
    return row


def _from_board(row: dict[str, Any], results: Sequence[Result], others: Mapping[str, RunDetails]) -> None:
    """Add what the board keeps of runs whose folders are missing here."""
    row["curves"] = _curves({run: one.curves for run, one in others.items()}, results)
    counts = [np.array(one.confusion) for one in others.values() if one.confusion]
    if counts:
        row["classes"] = {"runs": len(counts), **_matrix(sum(counts[1:], counts[0]))}


def _curves(curves: Mapping[str, Mapping[str, Points]], results: Sequence[Result]) -> dict[str, list[Points]]:
    keys = dict.fromkeys(key for one in curves.values() for key in one)
    return {printable(key): [curves.get(r.run_id, {}).get(key, []) for r in results] for key in keys}


def _from_folders(
    row: dict[str, Any],
    snapshot: Snapshot,
    results: Sequence[Result],
    present: Mapping[str, Path],
    others: Mapping[str, RunDetails],
    pictures: Pictures,
    finder: Finder | None,
) -> None:
    """Add what the folders of a row's runs have: curves, answers by class, examples.

    Raises: DataError for a damaged file; what was added before it stays.
    """
    curves = {run: curves_of(folder) for run, folder in present.items()}
    row["curves"] = _curves({run: one.curves for run, one in others.items()} | curves, results)
    answers = classes_of(list(present.values()), multi_label=bool(snapshot.dataset.get("multi_label")))
    if answers is not None:
        row["classes"] = _classes(answers)
    first = next(r for r in results if r.run_id in present)
    result, why = examples_of(present[first.run_id], pictures)
    row["examples"] = {"seed": first.seed, "found": result, "why": why}
    row["mistaken"] = mistakes_of(present[first.run_id], pictures)
    if result and finder is not None:
        answers_to = finder(present[first.run_id])
        if isinstance(answers_to, str):
            row["notes"].append(f"The results cannot be shown: {printable(answers_to)}")
        else:
            row["examples"]["found"], _ = examples_of(present[first.run_id], pictures, results=answers_to)


def _run(made: Details, result: Result) -> dict[str, Any]:
    place = {
        "commit": None if result.commit is None else printable(result.commit),
        "hardware": {printable(k): printable(str(v)) for k, v in result.hardware.items()},
        "versions": {printable(k): printable(v) for k, v in result.versions.items()},
    }
    if place not in made.places:
        made.places.append(place)
    return {
        "seed": result.seed,
        "id": printable(result.run_id),
        "epochs": result.epochs,
        "best": result.best_epoch,
        "train_s": round(result.train_s, 1),
        "finished": printable(result.finished_at[:10]),
        "place": made.places.index(place),
    }


def _numbers(key: str, results: Sequence[Result]) -> list[float | None]:
    """Return a number of each run, then their mean and half the width of its interval; None where missing."""
    values = [r.metrics.get(key) for r in results]
    known = [v for v in values if v is not None and math.isfinite(v)]
    result = estimate(known) if known and len(known) == len(values) else None
    ends = [None, None] if result is None else [result.mean, result.half]
    return [None if v is None or not math.isfinite(v) else float(f"{v:.5g}") for v in [*values, *ends]]


def _classes(answers: Classes) -> dict[str, Any]:
    entry: dict[str, Any] = {"runs": answers.runs, "precision": answers.precision, "average": answers.average}
    if answers.confusion is not None:
        entry |= _matrix(answers.confusion)
    return entry


def _matrix(counts: np.ndarray) -> dict[str, Any]:
    mistakes = [(int(counts[t, p]), t, p) for t in range(len(counts)) for p in counts[t].nonzero()[0] if t != p]
    return {
        **({"confusion": counts.tolist()} if len(counts) <= MOST_CLASSES else {}),
        "mistakes": [[t, int(p), n] for n, t, p in sorted(mistakes, key=lambda m: -m[0])[:MISTAKES]],
        "sums": counts.sum(1).tolist(),
    }


def _by_interest(key: str) -> tuple[bool, bool, str]:
    """Test before validation, what chance reaches and what was left out last."""
    return "/chance/" in key or "/skipped/" in key, not key.startswith("test/"), key
