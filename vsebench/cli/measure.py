"""``vsebench measure``, and what a sweep measures at its end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vsebench.config.experiment import load_experiment
from vsebench.core.errors import ConfigError
from vsebench.core.terminal import say
from vsebench.leaderboard.render import render
from vsebench.runs.snapshot import load_board, results_file, save
from vsebench.runs.store import Store
from vsebench.sweeps.measure import Job, lacking, measure, measured


@dataclass(frozen=True)
class MeasureOptions:
    """The command's arguments."""

    file: Path
    overrides: tuple[str, ...]
    runs: Path
    board: Path
    workers: int | None
    threads: int
    device: str


def run_measure(options: MeasureOptions) -> None:
    """Measure what the runs on a board lack, and write the board.

    Raises: ConfigError of an experiment that asks for nothing; DataError without its results.
    """
    experiment = load_experiment(options.file, overrides=options.overrides)
    asked = experiment.spec.measure.asked()
    if not asked:
        raise ConfigError(
            f"experiment '{experiment.name}' asks for no measurement; write a block such as measure: {{cost: true}}."
        )
    complete(
        experiment.name,
        asked,
        runs=options.runs,
        board=options.board,
        workers=options.workers,
        threads=options.threads,
        device=options.device,
    )


def complete(
    name: str,
    asked: Mapping[str, Mapping[str, Any]],
    *,
    runs: Path,
    board: Path,
    workers: int | None,
    threads: int,
    device: str,
) -> None:
    """Measure what is lacking of one experiment's board, say what could not be, write results and page."""
    file = results_file(board, name)
    snapshot, store = load_board(board, name), Store(runs, name)
    jobs = lacking(snapshot, store, asked)
    count = 0

    def tell(job: Job) -> None:
        nonlocal count
        count += 1
        say(f"  measured {count} of {len(jobs)}: {job.row} ({', '.join(job.asked)})")

    count_of = workers or _workers(threads)
    faults = measure(jobs, workers=count_of, threads=threads, device=device, say=tell)
    for fault in faults:
        say(f"not measured: {fault.measure} of {fault.row}, run {fault.run_id}: {fault.message}", error=True)
    found = measured(snapshot, store, asked)
    if found != snapshot.measures:
        save(replace(snapshot, measures=found), file)
        render(board, [name])


def _workers(threads: int) -> int:
    """As many as this machine has cores for their threads."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // threads)
