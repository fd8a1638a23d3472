"""``vsebench sweep`` of an experiment that compares indexes."""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vsebench.config.index_experiment import IndexExperiment, load_index_experiment
from vsebench.core.errors import ConfigError, RunFailed
from vsebench.core.plugins import load_entry_points
from vsebench.core.terminal import on_one_line, say
from vsebench.leaderboard import index_board, index_plots
from vsebench.retrieval.index_benchmark.plan import Measurement, plan
from vsebench.retrieval.index_benchmark.run import limited, measure_all
from vsebench.retrieval.index_benchmark.vectors import VectorSet, load_vectors
from vsebench.runs.snapshot import load_board
from vsebench.runs.store import Store
from vsebench.runs.tracking import NullTracker, Tracker, WandbTracker, resolve_mode, wandb_id

if TYPE_CHECKING:
    from vsebench.cli.sweep import SweepOptions


def run_index_sweep(options: SweepOptions, command: str) -> None:
    """Validate, get the vectors, measure, write the board.

    Args:
        command: what the board says it was made by.

    Raises: VsebenchError for the user's faults; RunFailed when measurements failed, after the board is written.
    """
    _refuse(options)
    load_entry_points()
    experiment = load_index_experiment(options.file, overrides=options.overrides, plugins=options.plugins)
    wanted = experiment.only(options.only) if options.only else experiment
    work, store = options.executor.work, Store(options.runs, experiment.name)
    threads = work.threads
    with limited(threads):
        vectors = load_vectors(experiment, options.runs, device=work.device, cache=options.cache, say=say)
    everything = plan(experiment, vectors.described, store, threads=threads)
    names = {row.name for row in wanted.rows}
    asked = [one for one in everything if one.row.name in names]
    counts = Counter(one.status for one in asked)
    if options.dry_run:
        _print_plan(wanted, asked, vectors)
        return
    say(f"{experiment.name}: {len(asked)} measurements, {counts['finished']} finished, "
        f"{len(asked) - counts['finished']} to do.")  # fmt: skip
    try:
        outcome = measure_all(
            experiment,
            asked,
            everything,
            vectors,
            store,
            threads=threads,
            tracker=_trackers(options, experiment),
            board_folder=options.board,
            command=command,
            say=say,
        )
    except KeyboardInterrupt:
        print("\nInterrupted. What was measured is kept; the same command goes on from here.", file=sys.stderr)
        raise SystemExit(130) from None
    if counts["finished"] < len(asked):
        _log_board(options, experiment)
    say(f"Board: {options.board / (experiment.name + '.md')}")
    if outcome.failed:
        lines = [f"  {r.system}, seed {r.seed}: {(r.error or '').strip().splitlines()[-1]}" for r in outcome.failed]
        raise RunFailed(f"{len(outcome.failed)} of {len(asked)} measurements failed:\n" + "\n".join(lines))


def _refuse(options: SweepOptions) -> None:
    """Options that have no meaning where speed is measured.

    Raises: ConfigError.
    """
    why = "an experiment of indexes measures speed, one index after the other in one process."
    told = options.executor
    for option, said in (
        (f"--executor {told.name}", told.name != "local"),
        ("--workers", told.work.workers not in (None, 1)),
        ("--processes-per-run", told.work.processes > 1),
    ):
        if said:
            raise ConfigError(f"{option}: {why} --threads says how many threads a search has.")


def _print_plan(experiment: IndexExperiment, asked: Sequence[Measurement], vectors: VectorSet) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    title = on_one_line(f"{experiment.name} on {vectors.described['title']}")
    table = Table(title=Text(title), title_justify="left")
    for column in ("row", "index", "options", "seeds"):
        table.add_column(column)
    for row in experiment.rows:
        status = Counter(one.status for one in asked if one.row.name == row.name)
        options = ", ".join(f"{name} {value}" for name, value in row.spec.options.items())
        said = ", ".join(f"{count} {state}" for state, count in status.items())
        table.add_row(*map(Text, (on_one_line(row.name), row.spec.name, on_one_line(options), said)))
    Console().print(table)
    splits, dim = vectors.described["splits"], vectors.described["dim"]
    todo = sum(one.status != "finished" for one in asked)
    say(f"{splits['gallery']:,} vectors of {dim} numbers, {splits['queries']:,} queries, k {experiment.spec.k}.")
    say(f"{len(asked)} measurements, {todo} to do.")


def _trackers(options: SweepOptions, experiment: IndexExperiment) -> Callable[[Measurement], Tracker]:
    mode, folder = resolve_mode(options.wandb), options.runs.resolve() / experiment.name  # type: ignore[arg-type]

    def make(one: Measurement) -> Tracker:
        if mode == "disabled":
            return NullTracker()
        index = {"name": one.row.spec.name, "options": dict(one.options)}
        return WandbTracker(
            mode=mode,
            folder=folder,
            project=options.wandb_project,
            group=experiment.name,
            name=one.title,
            run_id=wandb_id(experiment.name, one.run_id),
            config={"row": one.row.name, "seed": one.seed, "run_id": one.run_id, "index": index, **one.row.axes},
            tags=["indexes"],
            job_type="measure",
        )

    return make


def _log_board(options: SweepOptions, experiment: IndexExperiment) -> None:
    """Log the board as a W&B table and its plots as pictures, in a run of its own in the experiment's group."""
    mode = resolve_mode(options.wandb)  # type: ignore[arg-type]
    if mode == "disabled":
        return
    snapshot = load_board(options.board, experiment.name)
    rows = list(csv.reader(io.StringIO(index_board.table_csv(snapshot))))
    tracker = WandbTracker(
        mode=mode,
        folder=options.runs.resolve() / experiment.name,
        project=options.wandb_project,
        group=experiment.name,
        name="leaderboard",
        run_id=wandb_id(experiment.name, "leaderboard"),
        config={"experiment": experiment.name},
        job_type="leaderboard",
    )
    tracker.log_table("leaderboard", rows[0], rows[1:])
    for kind in index_plots.drawn(snapshot):
        tracker.log_figure(f"plots/{kind.name}", index_plots.figure(snapshot, kind))
    tracker.finish({})
