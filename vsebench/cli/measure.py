"""``vsebench measure``, and what a sweep measures at its end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from vsebench.cli.options import BoardFolder, Device, Experiment, Overrides, RunsFolder
from vsebench.core.errors import ConfigError
from vsebench.core.terminal import say


def measure(
    experiment: Experiment,
    override: Overrides = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Runs at a time; one per core by default.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each worker.")] = 1,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
    device: Device = "auto",
) -> None:
    """Run the measurements still missing for the finished runs on a board, and write the board.

    Example: vsebench measure mmfrb
    """
    from vsebench.config.experiment import load_experiment
    from vsebench.config.find import experiment_file
    from vsebench.runs.snapshot import results_file

    file = experiment_file(experiment)
    loaded = load_experiment(file, overrides=override or (), runs_here=False)
    requested = loaded.spec.measure.requested()
    if not requested:
        raise ConfigError(
            f"experiment '{loaded.name}' requests no measurement; write a block such as measure: {{cost: true}}."
        )
    if not results_file(board, loaded.name).is_file():
        message = f"'{loaded.name}' has no board in {board}, so there is nothing to measure yet."
        raise ConfigError(f"{message} Sweep it first: vsebench sweep {file}")
    complete(loaded.name, requested, runs=runs, board=board, workers=workers, threads=threads, device=device)


def complete(
    name: str,
    requested: Mapping[str, Mapping[str, Any]],
    *,
    runs: Path,
    board: Path,
    workers: int | None,
    threads: int,
    device: str,
) -> None:
    """Measure what is lacking of one experiment's board, say what could not be, write results and page."""
    from vsebench.pipeline import measure_missing

    count = workers or _workers(threads)
    for line in measure_missing(
        name, requested, runs=runs, board=board, workers=count, threads=threads, device=device, say=say
    ):
        say(line, error=True)


def _workers(threads: int) -> int:
    """As many as this machine has cores for their threads."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // threads)
