"""Check a board: predictions -> a run's result -> the board's results file, number by number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vsebench.core.errors import DataError
from vsebench.core.types import Result
from vsebench.leaderboard import published
from vsebench.leaderboard.collect import pairs_of, read
from vsebench.leaderboard.published import details_file
from vsebench.leaderboard.resampled_runs import SPLIT
from vsebench.ops.slices import differing_fields
from vsebench.results.code_check import code_line
from vsebench.results.leaves import ABSENT, differing, in_digits, leaves, on_board, same
from vsebench.results.recompute import agrees, recompute
from vsebench.runs.item_scores import items_file
from vsebench.runs.item_scores import load as load_item_scores
from vsebench.runs.predictions import predictions_file
from vsebench.runs.snapshot import Snapshot
from vsebench.runs.store import RESULT, Store
from vsebench.sweeps.measure import FOLDER

#: What a result says of the data: those of an older version say less.
_DATA = "dataset."
#: In keys of what a metric leaves out, which older results may not have: the number beside them is the same.
SKIPPED = "skipped"


@dataclass(frozen=True)
class Difference:
    """A number, or another value, that is not what it should be.

    Args:
        file: where it stands, with the line where that is known.
        row: of the board; empty for a page as a whole.
        run_id: empty where no single run is meant.
        what: dotted name of the value, or the column.
        stored: as it stands there.
        again: as it comes out.
    """

    file: str
    row: str
    run_id: str
    what: str
    stored: Any
    again: Any


@dataclass
class Report:
    """What came of the check of one board.

    Args:
        recomputed: numbers that came out again from the predictions.
        rounded: how many of them to within rounding, but not to the last bit.
        items: how right each item is and where each match stands, of all runs, that the board keeps as they come out.
        compared: values of the board's results file that were compared with the runs' own.
        missing: (row, run id, key, reason) of numbers that cannot be computed again.
        absent: (row, run id, reason) of runs that are not at hand, so that nothing of them was checked.
        code: which runs were made by other code than today's, in one line; empty for none.
    """

    experiment: str
    code: str = ""
    runs: int = 0
    recomputed: int = 0
    rounded: int = 0
    items: int = 0
    compared: int = 0
    missing: list[tuple[str, str, str, str]] = field(default_factory=list)
    absent: list[tuple[str, str, str]] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)


def verify(snapshot: Snapshot, file: Path, runs: Path, *, trust: bool = False) -> Report:
    """Compute every number of a board again, and compare each step on its way to the board's results file.

    Args:
        snapshot: the board's results, as read.
        file: that they were read from, for messages.
        runs: folder of all runs.
        trust: import the plug-ins that runs name.
    """
    report = Report(snapshot.experiment, code_line(snapshot.results.values()))
    store = Store(runs, snapshot.experiment)
    rows = {run: row.name for row in reversed(snapshot.rows) for run in row.runs.values()}
    _check_rows(snapshot, file, report)
    _check_items(snapshot, items_file(file.parent.parent, snapshot.experiment), store, report)
    _check_details(snapshot, details_file(file.parent.parent, snapshot.experiment), store, report)
    for run_id, on in snapshot.results.items():
        report.runs += 1
        row = rows.get(run_id, on.system)
        run_result = store.read(run_id)
        if run_result is None:
            folder = store.run_folder(run_id)
            if (folder / RESULT).is_file():
                report.differences.append(Difference(str(folder / RESULT), row, run_id, "file", "damaged", "a result"))
            message = f"{folder} {'has no whole result' if folder.is_dir() else 'is not there'}"
            report.absent.append((row, run_id, message))
            continue
        _check_run(store.run_folder(run_id), run_result, row, report, trust)
        _check_board(file, on, run_result, row, report)
        _check_measures(file, snapshot.measures.get(run_id, {}), store.run_folder(run_id), row, report)
    return report


def _check_rows(snapshot: Snapshot, file: Path, report: Report) -> None:
    """Each row's runs have the seeds that it says, and each result has a row."""
    for row in snapshot.rows:
        for seed, run_id in row.runs.items():
            result = snapshot.results.get(run_id)
            if result is None:
                report.absent.append((row.name, run_id, f"seed {seed} has no result on the board"))
            elif str(result.seed) != seed:
                report.differences.append(Difference(str(file), row.name, run_id, "runs", seed, result.seed))
    seeds = {str(seed) for seed in snapshot.seeds}, {seed for row in snapshot.rows for seed in row.runs}
    if seeds[0] != seeds[1]:
        shown = [", ".join(sorted(some)) for some in seeds]
        report.differences.append(Difference(str(file), "", "", "seeds", *shown))
    wanted = {run for row in snapshot.rows for run in row.runs.values()}
    for run_id in sorted(set(snapshot.results) - wanted):
        message = Difference(
            str(file), snapshot.results[run_id].system, run_id, "rows", "a result without a row", ABSENT
        )
        report.differences.append(message)


def _check_items(snapshot: Snapshot, file: Path, store: Store, report: Report) -> None:
    """Predictions -> what the board keeps of every item and query."""
    if not file.is_file():
        return
    try:
        on = load_item_scores(file)
    except DataError as error:
        report.differences.append(Difference(str(file), "", "", "file", "damaged", error.message))
        return
    for run_id in sorted(on.runs):
        result = snapshot.results.get(run_id)
        row = "" if result is None else result.system
        if result is None:
            report.differences.append(Difference(str(file), row, run_id, "runs", "outcomes without a result", ABSENT))
            continue
        # Absent is not wrong: a clone has no predictions. It is listed, and never counted as verified.
        source = predictions_file(store.run_folder(run_id), SPLIT)
        if not source.is_file():
            report.missing.append((row, run_id, "items", f"{source} is not there"))
            continue
        try:
            scores = read(source.parent, result)
        except DataError as error:
            report.differences.append(Difference(str(source), row, run_id, "file", "damaged", error.message))
            continue
        for name in differing_fields(on.slices, scores.slices):
            report.differences.append(
                Difference(str(file), row, run_id, f"items.slices.{name}", "other slices", "the run's")
            )
        for name, (stored, again) in pairs_of(on, scores, run_id).items():
            if np.array_equal(stored, again):
                report.items += again.size
                continue
            if stored.shape != again.shape:
                shown: tuple[Any, Any] = stored.shape, again.shape
            else:
                at = int(np.flatnonzero(stored != again)[0])
                name, shown = f"{name}[{at}]", (stored[at].item(), again[at].item())
            report.differences.append(Difference(str(file), row, run_id, f"items.{name}", *shown))


def _check_details(snapshot: Snapshot, file: Path, store: Store, report: Report) -> None:
    """Histories and predictions -> the curves and confusion matrices that the board keeps."""
    try:
        on = published.load(file).of(snapshot.results.values()) if file.is_file() else {}
    except DataError as error:
        report.differences.append(Difference(str(file), "", "", "file", "damaged", error.message))
        return
    for run_id, stored in on.items():
        result, folder = snapshot.results[run_id], store.run_folder(run_id)
        try:
            again = published.read(folder, snapshot, result) if folder.is_dir() else stored
        except DataError:  # said with the run's other numbers
            continue
        for name in ("curves", "confusion"):
            if getattr(stored, name) != getattr(again, name):
                report.differences.append(
                    Difference(str(file), result.system, run_id, name, "on the board", "other than the run's")
                )


def _check_run(folder: Path, run_result: Result, row: str, report: Report, trust: bool) -> None:
    """Predictions -> the run's own result."""
    if run_result.status == "failed":
        return
    result = recompute(folder, run_result, trust=trust)
    file = str(folder / RESULT)
    for message in result.damaged:
        report.differences.append(Difference(str(folder), row, run_result.run_id, "file", "damaged", message))
    report.missing += [(row, run_result.run_id, key, why) for key, why in sorted(result.missing.items())]
    for key in sorted({*run_result.metrics, *result.numbers}):
        stored, again = run_result.metrics.get(key), result.numbers.get(key)
        if stored is not None and again is not None and _number(stored):
            if agrees(stored, again, result.tolerance[key]):
                report.recomputed += 1
                report.rounded += not agrees(stored, again)
                continue
        elif again is None and key in result.missing:
            continue
        elif stored is None and SKIPPED in key.split("/"):
            report.missing.append(
                (row, run_result.run_id, key, f"it was measured before these were counted; {again:g} now")
            )
            continue
        shown = ABSENT if stored is None else stored, ABSENT if again is None else again
        report.differences.append(Difference(file, row, run_result.run_id, f"metrics.{key}", *shown))
    _check_curves(file, run_result, row, result.curves, report)


def _check_curves(file: str, run_result: Result, row: str, again: Mapping[str, Any] | None, report: Report) -> None:
    if again is None:
        if run_result.curves:
            report.missing.append((row, run_result.run_id, "curves", "its run stored neither codes nor curves"))
        return
    a, b = leaves(run_result.curves, "curves"), leaves(again, "curves")
    for name in sorted({*a, *b}):
        stored, value = a.get(name, ABSENT), b.get(name, ABSENT)
        if same(stored, value):
            report.recomputed += 1
        else:
            report.differences.append(Difference(file, row, run_result.run_id, name, stored, value))


def _check_board(file: Path, on: Result, run_result: Result, row: str, report: Report) -> None:
    """Compare the run's own result with the board's results file: equal to its six digits, in everything."""
    a, b = leaves(asdict(on)), on_board(run_result)
    for name in sorted({*a, *b}):
        if name.startswith(_DATA) and not (name in a and name in b):
            continue
        stored, value = a.get(name, ABSENT), b.get(name, ABSENT)
        if same(stored, value):
            report.compared += 1
        else:
            report.differences.append(Difference(str(file), row, on.run_id, name, stored, value))


def _check_measures(file: Path, on: Mapping[str, Any], folder: Path, row: str, report: Report) -> None:
    """Compare the measurements in the run's folder with the board's results file, to six digits."""
    for name, values in on.items():
        source = folder / FOLDER / f"{name}.json"
        try:
            current = json.loads(source.read_text(encoding="utf-8"))["values"]
        except FileNotFoundError:
            report.missing.append((row, folder.name, f"measures.{name}", f"its folder has no {FOLDER}/{name}.json"))
            continue
        except (OSError, ValueError, KeyError, TypeError) as error:
            report.differences.append(Difference(str(source), row, folder.name, "file", "damaged", str(error)))
            continue
        a, b = leaves(values, f"measures.{name}"), in_digits(leaves(current, f"measures.{name}"))
        report.compared += sum(same(a.get(key, ABSENT), b.get(key, ABSENT)) for key in {*a, *b})
        for key, (stored, value) in differing(a, b).items():
            report.differences.append(Difference(str(file), row, folder.name, key, stored, value))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
