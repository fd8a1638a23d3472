"""A board's results from the runs that a team keeps in Weights & Biases."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vsebench.core.errors import DataError, Place
from vsebench.core.types import OWN_SPLIT, Result
from vsebench.results.merge import TOLERANCE
from vsebench.results.recompute import agrees
from vsebench.runs.schemas.result import parse_result
from vsebench.runs.snapshot import BoardRow, Snapshot, check_comparable
from vsebench.runs.tracking import BOARD_KEY, RESULT_FILE, ROW_KEY

#: What the board's own run is called in W&B.
LEADERBOARD = "leaderboard"
#: In the summary of runs that were logged before results were files.
EARLIER_KEY = "vsebench/result"
_ENDED = ("finished", "pruned")


class Logged(Protocol):
    """As much of ``wandb.apis.public.Run`` as is read."""

    id: str
    name: str
    state: str
    group: str | None
    job_type: str | None
    config: Mapping[str, Any]

    @property
    def summary(self) -> Any:
        """What the run ended with: has ``get``."""
        ...

    def files(self, names: list[str]) -> Iterable[Any]:
        """Those of some names that it has: with ``download(root, replace)``, which gives an open text file."""
        ...


@dataclass(frozen=True)
class Skipped:
    """A run in W&B that is not on the board, and why."""

    id: str
    name: str
    reason: str


@dataclass(frozen=True)
class Found:
    """A run of W&B with its result."""

    id: str
    name: str
    result: Result
    row: Mapping[str, Any]


@dataclass
class Fetched:
    """What W&B has of one experiment.

    Args:
        head: what its board's own run says of it; empty where there is none.
        duplicates: runs that were there more than once, with the same numbers.
    """

    experiment: str
    runs: list[Found] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    head: Mapping[str, Any] = field(default_factory=dict)
    duplicates: int = 0


def fetch(runs: Iterable[Logged], group: str | None = None) -> list[Fetched]:
    """Read every run of a project, experiment by experiment; of one, where it is named.

    Runs without a whole result are skipped, each with its reason.
    """
    results: dict[str, Fetched] = {}
    for run in runs:
        if run.group is None or (group is not None and run.group != group):
            continue
        experiment = results.setdefault(run.group, Fetched(run.group))
        if run.job_type == LEADERBOARD:
            experiment.head = _plain(run.config.get(BOARD_KEY)) or experiment.head
            continue
        result = _result(run)
        if isinstance(result, str):
            experiment.skipped.append(Skipped(run.id, run.name, result))
        else:
            row = run.config.get(ROW_KEY)
            experiment.runs.append(Found(run.id, run.name, result, row if isinstance(row, Mapping) else {}))
    return [results[name] for name in sorted(results)]


def _plain(text: Any) -> dict[str, Any]:
    """Parse a JSON object in a text; empty for anything else."""
    try:
        data = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _result(run: Logged) -> Result | str:
    """Parse a run's result, or return why it has none."""
    text = _result_file(run) or run.summary.get(EARLIER_KEY)
    if text is None:
        if run.state != "finished":
            return f"it is {run.state}; its result comes when it ends, or when its offline files are synced"
        return "it has no whole result; it was logged by another version, or by something else"
    try:
        result = parse_result(json.loads(text), Place(RESULT_FILE))
    except (TypeError, ValueError, RecursionError):
        return "its result is damaged: no JSON"
    except DataError as error:
        return f"its result is damaged: {error}"
    if result.status not in _ENDED:
        return f"its result is {result.status}"
    if result.status == "finished" and not {"total", "trained"} <= result.parameters.keys():
        return "its result is damaged: it does not count parameters, 'total' and 'trained'"
    if result.experiment != run.group:
        return f"its result is of experiment '{result.experiment}'"
    marks = run.config.get("run_id")
    if marks != result.run_id:
        return f"its result is of run {result.run_id}, its configuration of run {marks}"
    return result


def _result_file(run: Logged) -> str | None:
    """Download a run's result; None where it has none."""
    with tempfile.TemporaryDirectory() as folder:
        for file in run.files(names=[RESULT_FILE]):
            with file.download(root=folder, replace=True) as stream:
                return str(stream.read())
    return None


def board_of(fetched: Fetched, *, fingerprint: str | None = None, source: str = "W&B") -> Snapshot:
    """Build the board's content: one result for each row and seed, the latest where code or settings have changed
    since.

    What is left out is added to ``fetched.skipped``.

    Args:
        fetched: runs as W&B has them.
        fingerprint: of the dataset, where runs are of several.
        source: ``ENTITY/PROJECT``, for messages and the board's command.

    Raises: DataError for runs of several datasets or metric versions, for one run with two results, or no runs at all.
    """
    runs = _of_one_dataset(fetched, fingerprint)
    runs = _once(runs, fetched)
    runs = _latest(runs, fetched)
    if not runs:
        why = "".join(f"\n  {s.name} ({s.id}): {s.reason}" for s in fetched.skipped)
        raise DataError(f"{source} has no run of '{fetched.experiment}' with a whole result.{why}")
    newest = max(runs, key=lambda run: run.result.finished_at)
    rows = _rows(runs, fetched.head)
    head = fetched.head
    dataset = newest.result.dataset
    select = newest.row.get("select") or head.get("select") or {"metric": "val/accuracy", "mode": "max"}
    snapshot = Snapshot(
        experiment=fetched.experiment,
        title=str(head.get("title") or f"{fetched.experiment}: {dataset.get('title', '')}"),
        dataset=dataset,
        rows=rows,
        seeds=sorted({run.result.seed for run in runs}),
        select=select,
        board=head.get("board") or {},
        command=f"vsebench leaderboard --from-wandb {source} --group {fetched.experiment}",
        results={run.result.run_id: dataclasses.replace(run.result, dataset=dataset) for run in runs},
        search=head.get("search") or {},
        gallery=str(newest.row.get("gallery") or head.get("gallery") or OWN_SPLIT),
    )
    check_comparable(snapshot, Path(source))
    return snapshot


def _of_one_dataset(fetched: Fetched, fingerprint: str | None) -> list[Found]:
    counts = Counter(str(run.result.dataset["fingerprint"]) for run in fetched.runs)
    if fingerprint is None and len(counts) > 1:
        listing = ", ".join(f"{name} ({count} runs)" for name, count in counts.most_common())
        raise DataError(
            f"runs of '{fetched.experiment}' are of several datasets and cannot share a table: fingerprints {listing}. "
            "Choose one with --fingerprint."
        )
    remaining = []
    for run in fetched.runs:
        current = run.result.dataset["fingerprint"]
        if fingerprint in (None, current):
            remaining.append(run)
        else:
            fetched.skipped.append(Skipped(run.id, run.name, f"it is of dataset {current}"))
    return remaining


def _once(runs: Sequence[Found], fetched: Fetched) -> list[Found]:
    """Every run id once.

    Raises: DataError for one run with two results.
    """
    results: dict[str, Found] = {}
    for run in runs:
        known = results.setdefault(run.result.run_id, run)
        if known is run:
            continue
        a, b = known.result.metrics, run.result.metrics
        apart = [key for key in {*a, *b} if key not in a or key not in b or not agrees(a[key], b[key], TOLERANCE)]
        if apart:
            key = min(apart)
            raise DataError(
                f"run {run.result.run_id} ({run.result.system}, seed {run.result.seed}) is there twice with other "
                f"numbers: {key} is {a.get(key)} in {known.id} and {b.get(key)} in {run.id}. Delete one of them in W&B."
            )
        fetched.duplicates += 1
    return list(results.values())


def _latest(runs: Sequence[Found], fetched: Fetched) -> list[Found]:
    """One run for each row and seed: the latest."""
    results: dict[tuple[str, int], Found] = {}
    for run in sorted(runs, key=lambda one: one.result.finished_at, reverse=True):
        known = results.setdefault((run.result.system, run.result.seed), run)
        if known is not run:
            message = f"row '{run.result.system}', seed {run.result.seed} has a later run ({known.id})"
            fetched.skipped.append(Skipped(run.id, run.name, message))
    chosen = {run.id for run in results.values()}
    return [run for run in runs if run.id in chosen]


def _rows(runs: Sequence[Found], head: Mapping[str, Any]) -> list[BoardRow]:
    """In the order of the board's own run; rows that it does not know come after, in W&B's order."""
    rows: dict[str, BoardRow] = {}
    for run in runs:
        name, axes = run.result.system, run.row.get("axes")
        section = "sweep" if run.row.get("section") == "sweep" else "systems"
        plain = {str(k): str(v) for k, v in axes.items()} if isinstance(axes, Mapping) else {}
        known = rows.get(name, BoardRow(name, section, plain, {}))
        rows[name] = dataclasses.replace(known, runs={**known.runs, str(run.result.seed): run.result.run_id})
    listed = head.get("rows")
    order = [str(row.get("name")) for row in listed if isinstance(row, Mapping)] if isinstance(listed, list) else []
    names = list(dict.fromkeys([*(name for name in order if name in rows), *rows]))
    return [
        dataclasses.replace(rows[name], runs=dict(sorted(rows[name].runs.items(), key=lambda one: int(one[0]))))
        for name in names
    ]
