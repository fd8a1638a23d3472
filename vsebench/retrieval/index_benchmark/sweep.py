"""``vsebench sweep`` of an experiment that compares indexes."""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsebench.config.index_experiment import IndexExperiment
from vsebench.core.errors import ConfigError, RunFailed
from vsebench.core.terminal import on_one_line, say
from vsebench.leaderboard import index_board, index_plots
from vsebench.leaderboard.ending import say_ending
from vsebench.retrieval.index_benchmark.plan import Measurement, plan
from vsebench.retrieval.index_benchmark.run import limited, measure_all
from vsebench.retrieval.index_benchmark.vectors import VectorSet, load_vectors
from vsebench.runs.snapshot import load_board
from vsebench.runs.store import Store
from vsebench.runs.tracking import NullTracker, Tracker, WandbTracker, wandb_id
from vsebench.sweeps.executors.base import Executor
from vsebench.sweeps.executors.local import Local

if TYPE_CHECKING:
    from vsebench.runs.snapshot import Snapshot
    from vsebench.sweeps.completion import Asked
    from vsebench.sweeps.worker import Settings


def run_index_sweep(
    experiment: IndexExperiment, requested: Asked, settings: Settings, runs: Path, *, dry_run: bool
) -> None:
    """Get the vectors, measure, write the board.

    Args:
        experiment: what to measure.
        requested: its file and what the command changes of it.
        settings: threads, device, cache and W&B.
        runs: folder of all runs, as the command has it.
        dry_run: print the plan and stop.

    Raises: VsebenchError for the user's faults; RunFailed when measurements failed, after the board is written.
    """
    wanted = experiment.only(requested.only) if requested.only else experiment
    threads, store = settings.threads, Store(runs, experiment.name)
    with limited(threads):
        vectors = load_vectors(experiment, runs, device=settings.device, cache=settings.cache, say=say)
    everything = plan(experiment, vectors.described, store, threads=threads)
    names = {row.name for row in wanted.rows}
    chosen = [one for one in everything if one.row.name in names]
    counts = Counter(one.status for one in chosen)
    if dry_run:
        _print_plan(wanted, chosen, vectors)
        return
    say(f"{experiment.name}: {len(chosen)} measurements, {counts['finished']} finished, "
        f"{len(chosen) - counts['finished']} to do.")  # fmt: skip
    tracker = partial(_tracker, settings, experiment.name)
    try:
        outcome = measure_all(
            experiment,
            chosen,
            everything,
            vectors,
            store,
            threads=threads,
            tracker=partial(_tracker_of, tracker),
            board_folder=requested.board,
            command=requested.command,
            say=say,
        )
    except KeyboardInterrupt:
        print("\nInterrupted. Finished measurements are kept; run the same command to resume.", file=sys.stderr)
        raise SystemExit(130) from None
    wandb = ""
    if counts["finished"] < len(chosen) and settings.wandb.mode != "disabled":
        wandb = _log_board(load_board(requested.board, experiment.name), tracker)
    say_ending(experiment.name, requested.board, runs, wandb)
    if outcome.failed:
        lines = [f"  {r.system}, seed {r.seed}: {(r.error or '').strip().splitlines()[-1]}" for r in outcome.failed]
        raise RunFailed(f"{len(outcome.failed)} of {len(chosen)} measurements failed:\n" + "\n".join(lines))


def refuse_options(executor: Executor) -> None:
    """Refuse options that have no meaning where speed is measured.

    Raises: ConfigError.
    """
    why = "an experiment of indexes measures speed, one index after the other in one process."
    for option, given in (
        ("--executor", not isinstance(executor, Local)),
        ("--workers", executor.work.workers not in (None, 1)),
        ("--processes-per-run", executor.work.processes > 1),
    ):
        if given:
            raise ConfigError(f"{option}: {why} --threads says how many threads a search has.")


def _print_plan(experiment: IndexExperiment, requested: Sequence[Measurement], vectors: VectorSet) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    title = on_one_line(f"{experiment.name} on {vectors.described['title']}")
    table = Table(title=Text(title), title_justify="left")
    for column in ("row", "index", "options", "seeds"):
        table.add_column(column)
    for row in experiment.rows:
        status = Counter(one.status for one in requested if one.row.name == row.name)
        options = ", ".join(f"{name} {value}" for name, value in row.spec.options.items())
        listing = ", ".join(f"{count} {state}" for state, count in status.items())
        table.add_row(*map(Text, (on_one_line(row.name), row.spec.name, on_one_line(options), listing)))
    Console().print(table)
    splits, dim = vectors.described["splits"], vectors.described["dim"]
    todo = sum(one.status != "finished" for one in requested)
    say(f"{splits['gallery']:,} vectors of {dim} numbers, {splits['queries']:,} queries, k {experiment.spec.k}.")
    say(f"{len(requested)} measurements, {todo} to do.")


def _tracker(settings: Settings, experiment: str, run_id: str, **about: Any) -> Tracker:
    """Return the W&B run of a measurement, or of the board, or none where W&B is disabled."""
    if settings.wandb.mode == "disabled":
        return NullTracker()
    return WandbTracker(
        settings.wandb,
        folder=settings.store_root / experiment,
        group=experiment,
        run_id=wandb_id(experiment, run_id),
        **about,
    )


def _tracker_of(tracker: Callable[..., Tracker], one: Measurement) -> Tracker:
    index = {"name": one.row.spec.name, "options": dict(one.options)}
    config = {"row": one.row.name, "seed": one.seed, "run_id": one.run_id, "index": index, **one.row.axes}
    return tracker(one.run_id, name=one.title, config=config, tags=["indexes"], job_type="measure")


def _log_board(snapshot: Snapshot, tracker: Callable[..., Any]) -> str:
    """Log the board as a W&B table and its plots as pictures, in a run of its own in the experiment's group.

    Returns: where W&B has it.
    """
    rows = list(csv.reader(io.StringIO(index_board.table_csv(snapshot))))
    config = {"experiment": snapshot.experiment}
    board_run = tracker("leaderboard", name="leaderboard", config=config, job_type="leaderboard")
    board_run.log_table("leaderboard", rows[0], rows[1:])
    for figure in index_plots.figures(snapshot):
        board_run.log_figure(f"plots/{figure.name.removeprefix(f'{snapshot.experiment}-')}", figure.draw())
    board_run.close({})
    return str(board_run.place())
