"""A sweep from experiment file to board: the runs, ensembles of them, measurements, then the pages.

Imports config, core, leaderboard, measurements, results, runs and sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vsebench.config.experiment import Experiment
from vsebench.core.metric_specs import parse_metrics, versions
from vsebench.core.types import Result
from vsebench.leaderboard.collect import update
from vsebench.leaderboard.render import render
from vsebench.results.ensembles.board import combinations, rows_of
from vsebench.runs.snapshot import BoardRow, Snapshot, collect, results_file, save
from vsebench.runs.store import Store
from vsebench.sweeps.measure import measured
from vsebench.sweeps.mend import differing_weights
from vsebench.sweeps.plan import Plan, is_over
from vsebench.sweeps.run import Sweep
from vsebench.sweeps.worker import Event, Execute, Settings


@dataclass(frozen=True)
class Outcome:
    """How a sweep ended.

    Args:
        plan: with the state before it ran.
        failed: results of the runs that failed.
        written: pages that changed.
    """

    plan: Plan
    failed: Sequence[Result]
    written: Sequence[Path]


def sweep(
    experiment: Experiment,
    dataset: Any,
    *,
    settings: Settings,
    workers: int | None,
    board_folder: Path,
    command: str,
    only: Sequence[str] = (),
    execute: Execute | None = None,
    on_plan: Callable[[Plan], None] = lambda _: None,
    on_event: Callable[[Event], None] = lambda _: None,
) -> Outcome:
    """Do what is not done yet, then write the board from everything that is.

    An interrupted sweep writes the board of the finished runs too, before the interrupt goes on. ``only`` narrows what
    is run to the rows that match its patterns; the board always has all rows that have results.

    ``execute`` does the runs; without it, ``workers`` processes of this machine do, or as many as suit it.

    What is damaged of finished runs is set aside and said, and those runs are done again.

    A search asks its next configurations when those before them are over; with ``only`` it asks none.

    Raises: KeyboardInterrupt; ConfigError when a search finds nothing new.
    """
    work = Sweep(experiment, dataset.describe(), settings, only=only, on_event=on_event)
    try:
        work.run(execute, workers, on_plan)
    finally:
        store = work.store
        snapshot = take_snapshot(work.whole, store, command)
        written: list[Path] = []
        if snapshot.results:
            save(snapshot, results_file(board_folder, experiment.name))
            update(snapshot, settings.store_root, board_folder, groups=dataset.groups)
            written = render(board_folder, [experiment.name])
    for text in differing_weights(work.whole.runs, store):
        on_event(Event("note", 0, text=text))
    wanted = {r.run_id for r in work.plan.runs}
    failed = [r for r in snapshot.results.values() if r.status == "failed" and r.run_id in wanted]
    return Outcome(work.plan, failed, written)


def take_snapshot(plan: Plan, store: Store, command: str) -> Snapshot:
    """Gather the board's content: every row of the plan with the results that exist, and ensembles of its runs."""
    rows: dict[str, dict[str, Any]] = {}
    for run in plan.runs:
        row = rows.setdefault(run.name, {"name": run.name, "section": run.section, "axes": dict(run.axes), "runs": {}})
        row["runs"][str(run.seed)] = run.run_id
    runs = {run.run_id: run for run in plan.runs}
    read = {run_id: store.read(run_id) for run_id in sorted(runs)}
    found = [r for key, r in read.items() if r is not None and (r.status == "failed" or is_over(runs[key], r))]
    spec = plan.experiment.spec
    fingerprint, versions_now = str(plan.dataset["fingerprint"]), versions(parse_metrics(plan.experiment.metrics))
    made = [
        r for r in combinations(store, runs, fingerprint=fingerprint, versions=versions_now) if r.system not in rows
    ]
    snapshot = Snapshot(
        experiment=spec.experiment,
        title=title_of(plan),
        dataset=plan.dataset,
        rows=[*(BoardRow(**row) for row in rows.values()), *rows_of(made)],
        seeds=list(spec.seeds),
        select=plan.experiment.select.plain,
        board=spec.board.model_dump(exclude_none=True),
        command=command,
        results=collect([*found, *made], fingerprint),
        search=search_of(plan),
        gallery=spec.gallery,
    )
    return replace(snapshot, measures=measured(snapshot, store, spec.measure.asked()))


def search_of(plan: Plan) -> dict[str, Any]:
    """Describe for the board how the sweep's rows were chosen; empty for a whole grid."""
    sweep = plan.experiment.spec.sweep
    if sweep is None:
        return {}
    said: dict[str, Any] = {} if sweep.prune is None else {"prune": sweep.prune.text}
    if sweep.method == "grid":
        return said
    asked = len({run.name for run in plan.runs if run.section == "sweep"})
    return {"method": sweep.method, "budget": sweep.budget, "seed": sweep.seed, "asked": asked, **said}


def title_of(plan: Plan) -> str:
    """Return the board's title; the dataset's title is always part of it."""
    spec, dataset = plan.experiment.spec, str(plan.dataset["title"])
    if spec.title is None:
        return f"{spec.experiment}: {dataset}"
    return spec.title if dataset in spec.title else f"{spec.title}: {dataset}"
