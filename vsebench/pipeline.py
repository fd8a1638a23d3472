"""A sweep from experiment file to board: the runs, ensembles of them, measurements, then the pages.

Imports config, core, leaderboard, results, runs and sweeps.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from vsebench.config import document
from vsebench.config.experiment import Experiment, load_experiment
from vsebench.config.index_experiment import is_index_experiment
from vsebench.core.errors import ConfigError, Place, RunFailed
from vsebench.core.metric_specs import parse_metrics, versions
from vsebench.core.plugins import load_plugins
from vsebench.core.types import Result
from vsebench.leaderboard.collect import update
from vsebench.leaderboard.render import render
from vsebench.results.board import Board, load_board
from vsebench.results.ensembles.board import combinations, rows_of
from vsebench.runs.snapshot import BoardRow, Snapshot, collect, results_file, save
from vsebench.runs.snapshot import load_board as load_snapshot
from vsebench.runs.store import Store
from vsebench.sweeps.completion import command_of
from vsebench.sweeps.local import default_workers
from vsebench.sweeps.measure import Job, measure, measured, missing
from vsebench.sweeps.mend import differing_weights
from vsebench.sweeps.open_data import open_data, suited_to
from vsebench.sweeps.plan import Plan, is_over
from vsebench.sweeps.run import Sweep
from vsebench.sweeps.worker import Event, Execute, Settings

#: How an experiment that is no file is named on its board.
MAPPING = "experiment"


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

    @property
    def summary(self) -> str:
        """How many runs failed, and the last line of each."""
        lines = [f"  {r.system}, seed {r.seed}: {(r.error or '').strip().splitlines()[-1]}" for r in self.failed]
        return f"{len(self.failed)} of {len(self.plan.runs)} runs failed:\n" + "\n".join(lines)


def sweep(
    experiment: Path | str | Mapping[str, Any],
    *,
    only: str | Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
    plugins: Sequence[Path | str] = (),
    runs: Path | str = "runs",
    board: Path | str = "leaderboard",
    workers: int | None = None,
    device: str = "auto",
    say: Callable[[str], None] = print,
) -> Board:
    """Run what an experiment lacks, and write and return its board.

    Finished runs are never done again. Worker processes import the script that calls this: put the call under
    ``if __name__ == "__main__":``, or give ``workers=0``.

    Args:
        experiment: an experiment file, or what one holds as a mapping; its plug-ins are then relative to this folder.
        only: names of the rows to run, or patterns such as ``gated*``; all by default.
        overrides: value by dotted key, such as ``{"train.epochs": 2, "seeds": [0]}``.
        plugins: files that register components, beside those that the experiment names.
        runs: folder of all runs.
        board: the leaderboard folder.
        workers: processes; as many as suit the machine by default, and 0 for none but this one.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        say: takes the lines that tell how it goes on.

    Returns: the board of all results that there are, of other rows too.

    Raises: ConfigError with file and line for mistakes in the experiment; DataError for a dataset that is missing or
        damaged; PluginError; RunFailed when runs failed, after the board is written.
    """
    patterns = (only,) if isinstance(only, str) else tuple(only)
    load_plugins(Path(plugin) for plugin in plugins)
    assignments = [f"{key}={json.dumps(value)}" for key, value in (overrides or {}).items()]
    doc = _document(experiment)
    if is_index_experiment(doc.data):
        raise ConfigError("it compares indexes; run it with 'vsebench sweep'.", place=doc.place(()))
    parsed = load_experiment(doc, overrides=assignments)
    if patterns and parsed.space is None:
        parsed.only(patterns)
    dataset = open_data(parsed, say)
    parsed = suited_to(parsed, dataset, say)
    settings = Settings(
        store_root=Path(runs).resolve(),
        dataset_path=dataset.path.resolve(),
        device=device,
        plugins=tuple(Path(plugin).expanduser().resolve() for plugin in plugins),
    )
    count = default_workers(settings) if workers is None else workers

    def tell(event: Event) -> None:
        if event.kind in ("end", "crash", "note", "halt"):
            say(f"{titles[event.run_id]}: {event.text}" if event.run_id in titles else event.text)

    titles: dict[str, str] = {}
    outcome = sweep_to_board(
        parsed,
        dataset,
        settings=settings,
        workers=count,
        board_folder=Path(board),
        command=command_of(Path(doc.file), assignments, settings.plugins),
        only=patterns,
        on_plan=lambda plan: titles.update({run.run_id: run.title for run in plan.runs}),
        on_event=tell,
    )
    if requested := parsed.spec.measure.requested():
        for line in measure_missing(
            parsed.name, requested, runs=Path(runs), board=Path(board), workers=max(1, count), device=device, say=say
        ):
            say(line)
    if outcome.failed:
        raise RunFailed(outcome.summary)
    return load_board(parsed.name, board)


def _document(experiment: Path | str | Mapping[str, Any]) -> document.Document:
    if isinstance(experiment, Path | str):
        return document.load(experiment)
    try:
        text = document.dump(dict(experiment))
    except yaml.YAMLError as error:
        raise ConfigError(f"an experiment holds plain data: {str(error).splitlines()[0]}.") from None
    doc = document.parse(text, file=MAPPING)
    for table in (doc.keys, doc.values):  # there is no line to show: say which key
        table.update({path: Place(".".join(map(str, path)) or MAPPING) for path in table})
    return doc


def sweep_to_board(
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
            update(snapshot, settings.store_root, board_folder, groups=dataset.groups, slices=dataset.slices)
            written = render(board_folder, [experiment.name])
    for text in differing_weights(work.whole.runs, store):
        on_event(Event("note", 0, text=text))
    wanted = {r.run_id for r in work.plan.runs}
    failed = [r for r in snapshot.results.values() if r.status == "failed" and r.run_id in wanted]
    return Outcome(work.plan, failed, written)


def measure_missing(
    name: str,
    requested: Mapping[str, Mapping[str, Any]],
    *,
    runs: Path,
    board: Path,
    workers: int,
    say: Callable[[str], None],
    threads: int = 1,
    device: str = "auto",
) -> list[str]:
    """Measure what finished runs on a board lack, and write results and page.

    Args:
        name: of the experiment.
        requested: measurement -> its options.
        runs: folder of all runs.
        board: the leaderboard folder.
        workers: processes.
        say: takes a line for each run that was measured.
        threads: of each worker.
        device: as of a sweep.

    Returns: a line for each measurement that failed.
    """
    snapshot, store = load_snapshot(board, name), Store(runs, name)
    jobs = missing(snapshot, store, requested)
    done = itertools.count(1)

    def tell(job: Job) -> None:
        say(f"  measured {next(done)} of {len(jobs)}: {job.row} ({', '.join(job.requested)})")

    faults = measure(jobs, workers=workers, threads=threads, device=device, say=tell)
    measures = measured(snapshot, store, requested)
    if measures != snapshot.measures:
        save(replace(snapshot, measures=measures), results_file(board, name))
        render(board, [name])
    return [f"not measured: {f.measure} of {f.row}, run {f.run_id}: {f.message}" for f in faults]


def take_snapshot(plan: Plan, store: Store, command: str) -> Snapshot:
    """Gather the board's content: every row of the plan with the results that exist, and ensembles of its runs."""
    rows: dict[str, dict[str, Any]] = {}
    for run in plan.runs:
        row = rows.setdefault(run.name, {"name": run.name, "section": run.section, "axes": dict(run.axes), "runs": {}})
        row["runs"][str(run.seed)] = run.run_id
    runs = {run.run_id: run for run in plan.runs}
    read = {run_id: store.read(run_id) for run_id in sorted(runs)}
    results = [r for key, r in read.items() if r is not None and (r.status == "failed" or is_over(runs[key], r))]
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
        seeds=list(dict.fromkeys(run.seed for run in plan.runs)),
        select=plan.experiment.select.plain,
        board=spec.board.model_dump(exclude_none=True),
        command=command,
        results=collect([*results, *made], fingerprint),
        search=search_of(plan),
        gallery=spec.gallery,
    )
    return replace(snapshot, measures=measured(snapshot, store, spec.measure.requested()))


def search_of(plan: Plan) -> dict[str, Any]:
    """Describe for the board how the sweep's rows were chosen; empty for a whole grid."""
    prune, space = plan.experiment.spec.prune, plan.experiment.space
    message: dict[str, Any] = {} if prune is None else {"prune": prune.text}
    if space is None:
        return message
    sweep = space.sweep
    sampled = len({run.name for run in plan.runs if run.section == "sweep"})
    return {"method": sweep.method, "budget": sweep.budget, "seed": sweep.seed, "asked": sampled, **message}


def title_of(plan: Plan) -> str:
    """Return the board's title; the dataset's title is always part of it."""
    spec, dataset = plan.experiment.spec, str(plan.dataset["title"])
    if spec.title is None:
        return f"{spec.experiment}: {dataset}"
    return spec.title if dataset in spec.title else f"{spec.title}: {dataset}"
