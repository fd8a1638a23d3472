"""``vsebench sweep``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vsebench.cli.measure import complete
from vsebench.cli.options import BoardFolder, Cache, Device, Overrides, Plugins, RunsFolder
from vsebench.cli.options import Experiments as ExperimentFiles
from vsebench.cli.plan import planned, print_plan, record_device
from vsebench.core.errors import Collector, ConfigError, RunFailed
from vsebench.core.plugins import load_plugins
from vsebench.core.registry import EXECUTORS
from vsebench.core.terminal import say

if TYPE_CHECKING:
    from vsebench.config.experiment import Experiment
    from vsebench.pipeline import Outcome
    from vsebench.sweeps.completion import Asked
    from vsebench.sweeps.executors.base import Executor
    from vsebench.sweeps.plan import Plan
    from vsebench.sweeps.worker import Execute, Settings


def sweep(
    experiments: ExperimentFiles,
    override: Overrides = None,
    plugin: Plugins = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Rows to run, by name or pattern.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Runs at a time; one per core or GPU by default. 0: in this process, to debug it."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each worker. Use 1 for reproducible numbers.")] = 1,
    processes_per_run: Annotated[
        int, typer.Option(min=1, help="Processes that train one run together, each with a GPU or threads of its own.")
    ] = 1,
    device: Device = "auto",
    executor: Annotated[
        str, typer.Option(help="local (this machine), ray (an existing Ray cluster) or a plug-in's.")
    ] = "local",
    executor_option: Annotated[
        list[str] | None, typer.Option(help="An option of the executor as NAME=VALUE, for a plug-in's.")
    ] = None,
    address: Annotated[str | None, typer.Option(help="Of the Ray cluster: auto (the default) or HOST:PORT.")] = None,
    cpus_per_run: Annotated[
        float | None, typer.Option(min=0, help="CPUs of a run on the cluster; one per thread by default.")
    ] = None,
    gpus_per_run: Annotated[
        float | None, typer.Option(min=0, help="GPUs of a run on the cluster; one by default where it has GPUs.")
    ] = None,
    wandb: Annotated[str, typer.Option(help="auto (online when logged in), online, offline or disabled.")] = "auto",
    wandb_project: Annotated[str, typer.Option(help="W&B project.")] = "vsebench",
    wandb_entity: Annotated[
        str, typer.Option(help="W&B user or team that has the project; your default there without it.")
    ] = "",
    wandb_tags: Annotated[str, typer.Option(help="W&B tags of every run beside its own, with commas between.")] = "",
    wandb_system: Annotated[
        bool, typer.Option(help="Let W&B collect system metrics, the git state and the program.")
    ] = True,
    wandb_artifacts: Annotated[
        bool, typer.Option("--wandb-artifacts", help="Log model, predictions and dataset card of every run to W&B.")
    ] = False,
    cache: Cache = True,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
) -> None:
    """Run every system of an experiment that has no result yet, and write its leaderboard.

    Several experiments are checked together before the first of them is run.

    Example: vsebench sweep experiments/mmfrb.yaml --dry-run
    """
    from vsebench.cli.components import options_of
    from vsebench.cli.executor import build_executor
    from vsebench.runs.wandb_options import Wandb, parse_tags, resolve_mode
    from vsebench.sweeps.completion import Asked, command_of
    from vsebench.sweeps.executors.base import Work
    from vsebench.sweeps.worker import Settings

    mode, tags = resolve_mode(wandb), parse_tags(wandb_tags)
    plugins, overrides = tuple(plugin or ()), tuple(override or ())
    load_plugins(plugins)
    work = Work(workers, threads, processes_per_run, device)
    cluster = {"address": address, "cpus_per_run": cpus_per_run, "gpus_per_run": gpus_per_run}
    executor_options = {**cluster, **options_of(executor_option or ())}
    if executor in EXECUTORS:  # else a plug-in that the file names may have it
        build_executor(executor, work, executor_options)
    requests = [
        Asked(file, overrides, tuple(only or ()), plugins, board, command_of(file, overrides, plugins))
        for file in _files(experiments)
    ]
    settings = Settings(
        store_root=runs.resolve(),
        dataset_path=Path(),  # until it is opened
        device=device,
        threads=threads,
        processes=processes_per_run,
        wandb=Wandb(mode, wandb_project, wandb_entity, tags, wandb_system, wandb_artifacts),
        cache=cache,
        plugins=tuple(p.expanduser().resolve() for p in plugins),
    )
    steps = _steps(requests, settings, runs, partial(build_executor, executor, work, executor_options), dry_run)
    failed = []
    for step in steps:
        try:
            step()
        except RunFailed as error:
            failed.append(str(error))
    if failed:
        raise RunFailed("\n".join(failed))


def _files(experiments: Sequence[Path]) -> list[Path]:
    """Return the experiments' files, each once."""
    from vsebench.config.find import experiment_file

    files = {experiment: experiment_file(experiment) for experiment in experiments}
    for experiment, file in files.items():
        if file != experiment:
            say(f"{experiment} is {file}.")
    return list(dict.fromkeys(files.values()))


def _steps(
    requests: Sequence[Asked], settings: Settings, runs: Path, executor: Callable[[], Executor], dry_run: bool
) -> list[Callable[[], None]]:
    """Check all experiments and return what is to do, an experiment each.

    Raises: ConfigError of every mistake in any of them; DataError.
    """
    requests = [request for request in requests if dry_run or not _is_done(request, runs)]
    if not requests:
        return []
    # Imported here, since they import torch, which a finished sweep does not need.
    from vsebench.config.index_experiment import IndexExperiment
    from vsebench.retrieval.index_benchmark.sweep import refuse_options, run_index_sweep
    from vsebench.sweeps.open_data import open_data, read_experiments, suited_to

    first = requests[0]
    read = read_experiments(
        [r.file for r in requests], overrides=first.overrides, only=first.only, plugins=first.plugins
    )
    built, faults = executor(), Collector()
    steps: list[Callable[[], None]] = []
    for requested, experiment in zip(requests, read, strict=True):
        if isinstance(experiment, IndexExperiment):
            refuse_options(built)
            steps.append(partial(run_index_sweep, experiment, requested, settings, runs, dry_run=dry_run))
            continue
        with faults:
            dataset = open_data(experiment, say)
            suited = suited_to(experiment, dataset, say)
            opened = replace(settings, dataset_path=dataset.path.resolve())
            steps.append(partial(_sweep_one, suited, dataset, opened, requested, runs, built, dry_run))
    faults.check()
    return steps


def _sweep_one(
    experiment: Experiment,
    dataset: Any,
    settings: Settings,
    requested: Asked,
    runs: Path,
    executor: Executor,
    dry_run: bool,
) -> None:
    """Run an experiment, or print its plan."""
    from vsebench.leaderboard.ending import say_ending
    from vsebench.sweeps.local import default_workers

    with executor.started() as (places, execute):
        if dry_run:
            count = default_workers(settings) if places is None else max(1, places)
            print_plan(planned(experiment, dataset, requested.only, runs), runs, count)
            return
        outcome = _do(experiment, dataset, settings, requested, places, execute)
    board = requested.board
    if measures := experiment.spec.measure.requested():
        complete(
            experiment.name,
            measures,
            runs=runs,
            board=board,
            workers=executor.work.workers,
            threads=settings.threads,
            device=settings.device,
        )
    wandb = ""
    if settings.wandb.mode != "disabled":
        from vsebench.results.wandb_board import log_board

        wandb = log_board(experiment.name, settings, board)
    _leave_note(requested, outcome, dataset.path, runs)
    say_ending(experiment.name, board, runs, wandb)
    if outcome.failed:
        raise RunFailed(outcome.summary)


def _do(
    experiment: Experiment,
    dataset: Any,
    settings: Settings,
    requested: Asked,
    workers: int | None,
    execute: Execute | None,
) -> Outcome:
    from vsebench.cli.progress import ProgressView
    from vsebench.pipeline import sweep_to_board
    from vsebench.runs.store import Store
    from vsebench.sweeps.estimate import estimate
    from vsebench.sweeps.local import default_workers

    store = Store(settings.store_root, experiment.name)

    def expected(plan: Plan) -> Mapping[str, float | None]:
        return estimate(plan, settings.store_root, device=record_device()).seconds

    show = ProgressView(store, lambda: default_workers(settings) if workers is None else max(1, workers), expected)
    try:
        return sweep_to_board(
            experiment,
            dataset,
            settings=settings,
            workers=workers,
            board_folder=requested.board,
            command=requested.command,
            only=requested.only,
            execute=execute,
            on_plan=show.plan,
            on_event=show.event,
        )
    except KeyboardInterrupt:
        show.close()
        print("\nInterrupted. Finished runs are kept; run the same command to resume.", file=sys.stderr)
        raise SystemExit(130) from None
    finally:
        show.close()


def _is_done(requested: Asked, runs: Path) -> bool:
    """Say so when a finished sweep is asked for again and nothing has changed, without planning it."""
    from vsebench.config import document
    from vsebench.leaderboard.ending import say_ending
    from vsebench.sweeps.completion import still_done

    try:
        doc = document.load(requested.file)
        for assignment in requested.overrides:
            doc.override(assignment)
    except ConfigError:
        return False  # it is told with all other mistakes
    name = doc.data.get("experiment") if isinstance(doc.data, dict) else None
    result = still_done(requested, runs, name) if isinstance(name, str) else None
    if result is None:
        return False
    finished, pruned = result
    message = f"{finished} finished, " + (f"{pruned} pruned, " if pruned else "")
    say(f"{name}: {finished + pruned} runs, {message}0 to do.")
    say_ending(str(name), requested.board, runs)
    return True


def _leave_note(requested: Asked, outcome: Outcome, dataset: Path, runs: Path) -> None:
    """Note a grid that has nothing left to do. A search may have more to ask."""
    from vsebench.config.experiment import plugin_files
    from vsebench.runs.store import Store
    from vsebench.sweeps.completion import leave_note

    experiment = outcome.plan.experiment
    store = Store(runs, experiment.name)
    results = {run.run_id: store.read(run.run_id) for run in outcome.plan.runs}
    status = {run_id: result.status for run_id, result in results.items() if result is not None}
    if experiment.space is not None or len(status) < len(results) or "failed" in status.values():
        return
    values = {v for row in experiment.rows for _, s in row.system.components() for v in s.options.values()
            if isinstance(v, str)}  # fmt: skip
    leave_note(
        requested,
        store,
        finished=[run_id for run_id, one in status.items() if one == "finished"],
        pruned=[run_id for run_id, one in status.items() if one == "pruned"],
        depends_on=[
            dataset,
            requested.board,
            *requested.plugins,
            *plugin_files(experiment),
            *(Path(value).expanduser() for value in sorted(values)),
        ],
    )
