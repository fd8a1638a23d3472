"""Measure the finished runs of a board: each run's model is loaded once for all that it lacks.

What was measured lies in the run's folder, ``measures/<name>.json``, with what was asked; a run that has it is not
measured again. A measurement that fails costs that run this number alone.
"""

from __future__ import annotations

import json
import multiprocessing as mp
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsebench.core.culprit import in_one_line
from vsebench.core.errors import VsebenchError
from vsebench.core.files import write_atomically
from vsebench.core.plugins import imported_files, load_plugins
from vsebench.core.registry import MEASUREMENTS
from vsebench.runs.snapshot import Snapshot
from vsebench.runs.store import RUN, Store
from vsebench.sweeps.worker import choose_device, prepare

FOLDER = "measures"
Asked = Mapping[str, Mapping[str, Any]]
Measured = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Job:
    """A run and what it lacks."""

    row: str
    run_id: str
    folder: Path
    requested: Asked

    @property
    def alone(self) -> bool:
        """Whether no other job may run beside it."""
        return any(map(_alone, self.requested))


@dataclass(frozen=True)
class Fault:
    """Why a measurement of a run is missing."""

    row: str
    run_id: str
    measure: str
    message: str


def missing(snapshot: Snapshot, store: Store, requested: Asked) -> list[Job]:
    """Return the runs of a board that lack something asked for and have a folder, in the board's order.

    What is measured alone is a job of its own; those come last.
    """
    results = []
    for row, run_id, wanted in _wanted(snapshot, requested):
        folder = store.run_folder(run_id)
        left = {name: wanted[name] for name in wanted if _read(folder, name, wanted[name]) is None}
        if left and (folder / RUN).is_file():
            parts = [{n: how for n, how in left.items() if _alone(n) is alone} for alone in (False, True)]
            results += [Job(row, run_id, folder, part) for part in parts if part]
    return sorted(results, key=lambda job: job.alone)


def measure(
    jobs: Sequence[Job],
    *,
    workers: int = 1,
    threads: int = 1,
    device: str = "auto",
    say: Callable[[Job], None] = lambda _: None,
) -> list[Fault]:
    """Do the jobs and return what could not be measured.

    Args:
        jobs: measurements, each of a run.
        workers: processes; with one, everything but what is measured alone is done in this process.
        threads: of each process.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        say: told of each job that is over.
    """
    alone = [job for job in jobs if job.alone]
    if alone:
        others = [job for job in jobs if not job.alone]
        before = measure(others, workers=workers, threads=threads, device=device, say=say) if others else []
        return before + _each(alone, 1, threads, device, say)
    faults: list[Fault] = []
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            faults += _do(job, device, 0)
            say(job)
        return faults
    return _each(jobs, workers, threads, device, say)


def _each(jobs: Sequence[Job], workers: int, threads: int, device: str, say: Callable[[Job], None]) -> list[Fault]:
    """Do the jobs in processes of their own, which have their number of threads."""
    faults: list[Fault] = []
    context = mp.get_context("spawn")
    start = (threads, imported_files())
    with ProcessPoolExecutor(min(workers, len(jobs)), context, initializer=_start, initargs=start) as pool:
        waiting = {pool.submit(_do, job, device, number % workers): job for number, job in enumerate(jobs)}
        for done in as_completed(waiting):
            faults += done.result()
            say(waiting[done])
    return faults


def _start(threads: int, plugins: Sequence[Path]) -> None:
    """Begin a process: its threads, and the plug-ins of the one that started it."""
    prepare(threads)
    load_plugins(plugins)


def measured(snapshot: Snapshot, store: Store, requested: Asked) -> Measured:
    """Read the known measurements of the board's runs: numbers by run id and measure.

    Of a run without a folder here, what the board knew before is kept.
    """
    result: Measured = {run_id: dict(parts) for run_id, parts in snapshot.measures.items()}
    for _, run_id, wanted in _wanted(snapshot, requested):
        for name, how in wanted.items():
            values = _read(store.run_folder(run_id), name, how)
            if values is not None:
                result.setdefault(run_id, {})[name] = values
    return result


def _wanted(snapshot: Snapshot, requested: Asked) -> Iterator[tuple[str, str, dict[str, Mapping[str, Any]]]]:
    """Every finished run with what is asked of it."""
    for row in snapshot.rows:
        finished = [r for r in row.runs.values() if r in snapshot.results and snapshot.results[r].status == "finished"]
        for number, run_id in enumerate(finished):
            config = snapshot.results[run_id].config
            wanted = {}
            for name, how in requested.items():
                measurement = MEASUREMENTS.get(name)
                target: Any = measurement.target
                if (measurement.facts["every_seed"] or number == 0) and target.applies(config):
                    wanted[name] = how
            yield row.name, run_id, wanted


def _do(job: Job, device: str, worker: int) -> list[Fault]:
    from vsebench.runs.load import load_run

    faults = []
    try:
        run = load_run(job.folder, device=choose_device(device, worker))
        dataset = run.open_dataset()
    except VsebenchError as error:
        return [Fault(job.row, job.run_id, name, str(error)) for name in job.requested]
    for name, how in job.requested.items():
        try:
            values = MEASUREMENTS.build(name, how).measure(run, dataset)
        except Exception as error:  # whatever a component does on damaged input; the others are measured all the same
            faults.append(Fault(job.row, job.run_id, name, in_one_line(error)))
            continue
        folder = job.folder / FOLDER
        folder.mkdir(exist_ok=True)
        plain = {"version": _version(name), "asked": dict(how), "values": values}
        write_atomically(folder / f"{name}.json", json.dumps(plain, ensure_ascii=False))
    return faults


def _read(folder: Path, name: str, how: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read a measurement if it was made with the present options; None otherwise."""
    try:
        data = json.loads((folder / FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        same = data["version"] == _version(name) and data["asked"] == json.loads(json.dumps(how))
        return dict(data["values"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _alone(name: str) -> bool:
    return bool(MEASUREMENTS.get(name).facts["alone"])


def _version(name: str) -> int:
    return int(MEASUREMENTS.get(name).facts["version"])
