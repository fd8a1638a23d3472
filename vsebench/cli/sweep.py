"""``vsebench sweep``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsebench.cli.executor import ExecutorOptions
from vsebench.cli.measure import complete
from vsebench.cli.plan import print_plan, record_device
from vsebench.cli.progress import ProgressView
from vsebench.config import document
from vsebench.config.experiment import Experiment, load_experiment, plugin_files
from vsebench.config.index_experiment import is_index_experiment
from vsebench.config.select import BETTER
from vsebench.core.errors import ConfigError, RunFailed, did_you_mean, known_names
from vsebench.core.plugins import load_plugins
from vsebench.core.registry import EXECUTORS
from vsebench.core.terminal import say
from vsebench.core.types import OWN_SPLIT
from vsebench.runs.store import Store
from vsebench.runs.tracking import resolve_mode
from vsebench.sweeps.completion import Asked, leave_note, still_done
from vsebench.sweeps.estimate import estimate
from vsebench.sweeps.local import default_workers
from vsebench.sweeps.plan import Plan, make_plan
from vsebench.sweeps.worker import Execute, Settings

if TYPE_CHECKING:
    from vsebench.pipeline import Outcome

WANDB_MODES = ("auto", "online", "offline", "disabled")


@dataclass(frozen=True)
class SweepOptions:
    """The command's arguments."""

    file: Path
    overrides: tuple[str, ...]
    plugins: tuple[Path, ...]
    only: tuple[str, ...]
    dry_run: bool
    executor: ExecutorOptions
    wandb: str
    wandb_project: str
    cache: bool
    runs: Path
    board: Path


def run_sweep(options: SweepOptions) -> None:
    """Validate, plan, run, write the board.

    Raises: VsebenchError for the user's faults; RunFailed when runs failed, after the board is written.
    """
    if options.wandb not in WANDB_MODES:
        said = did_you_mean(options.wandb, WANDB_MODES) + known_names(WANDB_MODES)
        raise ConfigError(f"--wandb '{options.wandb}' is unknown." + said)
    load_plugins(options.plugins)
    if options.executor.name in EXECUTORS:  # else a plug-in that the file names may have it
        options.executor.build()
    if is_index_experiment(document.load(options.file).data):
        from vsebench.cli.index_sweep import run_index_sweep

        run_index_sweep(options, command_of(options))
        return
    if not options.dry_run and _is_done(options):
        return
    experiment = load_experiment(options.file, overrides=options.overrides)
    executor = options.executor.build()
    if options.only and experiment.space is None:
        experiment.only(options.only)
    dataset = _open(experiment)
    experiment = _suited(experiment, dataset)
    settings = Settings(
        store_root=options.runs.resolve(),
        dataset_path=dataset.path.resolve(),
        device=executor.work.device,
        threads=executor.work.threads,
        processes=executor.work.processes,
        wandb_mode=resolve_mode(options.wandb),  # type: ignore[arg-type]
        wandb_project=options.wandb_project,
        cache=options.cache,
        plugins=tuple(p.expanduser().resolve() for p in options.plugins),
    )
    with executor.started() as (workers, execute):
        if options.dry_run:
            count = default_workers(settings) if workers is None else max(1, workers)
            print_plan(_planned(experiment, dataset, options), options.runs, count)
            return
        outcome = _do(experiment, dataset, settings, options, workers, execute)
    if asked := experiment.spec.measure.asked():
        complete(
            experiment.name,
            asked,
            runs=options.runs,
            board=options.board,
            workers=executor.work.workers,
            threads=executor.work.threads,
            device=executor.work.device,
        )
    if settings.wandb_mode != "disabled":
        from vsebench.cli.wandb_board import log_board

        log_board(experiment.name, settings, options.board)
    _leave_note(options, outcome, dataset.path)
    say(f"Board: {options.board / (experiment.name + '.md')}")
    if outcome.failed:
        lines = [f"  {r.system}, seed {r.seed}: {(r.error or '').strip().splitlines()[-1]}" for r in outcome.failed]
        raise RunFailed(f"{len(outcome.failed)} of {len(outcome.plan.runs)} runs failed:\n" + "\n".join(lines))


def _do(
    experiment: Experiment,
    dataset: Any,
    settings: Settings,
    options: SweepOptions,
    workers: int | None,
    execute: Execute | None,
) -> Outcome:
    from vsebench.pipeline import sweep

    store = Store(settings.store_root, experiment.name)

    def expected(plan: Plan) -> Mapping[str, float | None]:
        return estimate(plan, settings.store_root, device=record_device()).seconds

    show = ProgressView(store, lambda: default_workers(settings) if workers is None else max(1, workers), expected)
    try:
        return sweep(
            experiment,
            dataset,
            settings=settings,
            workers=workers,
            board_folder=options.board,
            command=command_of(options),
            only=options.only,
            execute=execute,
            on_plan=show.plan,
            on_event=show.event,
        )
    except KeyboardInterrupt:
        show.close()
        print("\nInterrupted. Finished runs are kept; the same command goes on from here.", file=sys.stderr)
        raise SystemExit(130) from None
    finally:
        show.close()


def _asked(options: SweepOptions) -> Asked:
    return Asked(options.file, options.overrides, options.only, options.plugins, options.board, command_of(options))


def _is_done(options: SweepOptions) -> bool:
    """Say so when a finished sweep is asked for again and nothing has changed, without planning it."""
    doc = document.load(options.file)
    for assignment in options.overrides:
        doc.override(assignment)
    name = doc.data.get("experiment") if isinstance(doc.data, dict) else None
    found = still_done(_asked(options), options.runs, name) if isinstance(name, str) else None
    if found is None:
        return False
    finished, pruned = found
    said = f"{finished} finished, " + (f"{pruned} pruned, " if pruned else "")
    say(f"{name}: {finished + pruned} runs, {said}0 to do.")
    say(f"Board: {options.board / (str(name) + '.md')}")
    return True


def _leave_note(options: SweepOptions, outcome: Outcome, dataset: Path) -> None:
    """Note a grid that has nothing left to do. A search may have more to ask."""
    experiment = outcome.plan.experiment
    store = Store(options.runs, experiment.name)
    results = {run.run_id: store.read(run.run_id) for run in outcome.plan.runs}
    status = {run_id: result.status for run_id, result in results.items() if result is not None}
    if experiment.space is not None or len(status) < len(results) or "failed" in status.values():
        return
    said = {v for row in experiment.rows for _, s in row.system.components() for v in s.options.values()
            if isinstance(v, str)}  # fmt: skip
    leave_note(
        _asked(options),
        store,
        finished=[run_id for run_id, one in status.items() if one == "finished"],
        pruned=[run_id for run_id, one in status.items() if one == "pruned"],
        depends_on=[
            dataset,
            options.board,
            *options.plugins,
            *plugin_files(experiment),
            *(Path(value).expanduser() for value in sorted(said)),
        ],
    )


def _planned(experiment: Experiment, dataset: Any, options: SweepOptions) -> Plan:
    """Return the plan of the first round; for a search, the runs requested so far and the next round."""
    from vsebench.sweeps.tuning import Search

    store, described = Store(options.runs, experiment.name), dataset.describe()
    if experiment.space is not None:
        plan = Search(experiment, described, store).replay()
        return make_plan(plan.experiment.only(options.only), described, store) if options.only else plan
    return make_plan(experiment.only(options.only) if options.only else experiment, described, store)


def _open(experiment: Experiment) -> Any:
    from vsebench.core.errors import DataError
    from vsebench.data.open import open_dataset

    try:
        dataset = open_dataset(experiment.spec.dataset, say=say)
        if experiment.spec.gallery != OWN_SPLIT:
            from vsebench.engine.retrieval_gallery import gallery_positions

            gallery_positions(dataset, experiment.spec.gallery)
        return dataset
    except (ConfigError, DataError) as error:
        if error.place is not None:
            raise
        path = error.path if isinstance(error, ConfigError) else ("dataset",)
        on_key = isinstance(error, ConfigError) and error.on_key
        place = experiment.document.place(path or ("dataset",), on_key=on_key)
        raise type(error)(str(error), place=place) from None


def _suited(experiment: Experiment, dataset: Any) -> Experiment:
    """Return the experiment with defaults for its dataset; print these, and requested measurements that no row can
    give.

    Raises: ConfigError of what does not apply to the dataset.
    """
    from vsebench.sweeps.suited import suited, unused

    experiment = suited(experiment, dataset)
    if experiment.spec.select.metric is None and experiment.select.metric != "val/accuracy":
        say(f"The epoch is chosen by {experiment.select.metric} ({BETTER[experiment.select.mode]}).")
    for line in unused(experiment, dataset):
        say(f"note: {line}")
    return experiment


def command_of(options: SweepOptions) -> str:
    """Return the command line that makes this board, without ``--only`` and worker counts, which do not change it."""
    parts = ["vsebench", "sweep", str(options.file)]
    for assignment in options.overrides:
        parts += ["-o", assignment]
    for plugin in options.plugins:
        parts += ["--plugin", str(plugin)]
    return shlex.join(parts)
