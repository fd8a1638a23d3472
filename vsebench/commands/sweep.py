"""``vsebench sweep``."""

from __future__ import annotations

import shlex
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsebench.commands.executor import ExecutorOptions, executor
from vsebench.config.experiment import Experiment, load_experiment
from vsebench.errors import ConfigError, RunFailed, did_you_mean, known_names
from vsebench.registry import load_entry_points, load_plugin_file
from vsebench.store import Store
from vsebench.sweep.plan import Plan, make_plan
from vsebench.sweep.worker import Event, Execute, Settings
from vsebench.tracking import resolve_mode

if TYPE_CHECKING:
    from vsebench.sweep.run import Outcome

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
    options.executor.check()
    load_entry_points()
    for plugin in options.plugins:
        load_plugin_file(plugin)
    experiment = load_experiment(options.file, overrides=options.overrides)
    if options.only and experiment.space is None:
        experiment.only(options.only)
    dataset = _open(experiment)
    settings = Settings(
        store_root=options.runs.resolve(),
        dataset_path=dataset.path.resolve(),
        device=options.executor.device,
        threads=options.executor.threads,
        wandb_mode=resolve_mode(options.wandb),  # type: ignore[arg-type]
        wandb_project=options.wandb_project,
        cache=options.cache,
        plugins=tuple(p.expanduser().resolve() for p in options.plugins),
    )
    with executor(options.executor) as (workers, execute):
        if options.dry_run:
            _print_plan(_planned(experiment, dataset, options), options, workers)
            return
        outcome = _do(experiment, dataset, settings, options, workers, execute)
    _log_board(settings, experiment, options)
    print(f"Board: {options.board / (experiment.name + '.md')}")
    if outcome.failed:
        lines = [f"  {r.system}, seed {r.seed}: {(r.error or '').strip().splitlines()[-1]}" for r in outcome.failed]
        raise RunFailed(f"{len(outcome.failed)} of {len(outcome.plan.runs)} runs failed:\n" + "\n".join(lines))


def _do(
    experiment: Experiment,
    dataset: Any,
    settings: Settings,
    options: SweepOptions,
    workers: int,
    execute: Execute | None,
) -> Outcome:
    from vsebench.sweep.run import sweep

    show = ProgressLines(workers)
    try:
        return sweep(
            experiment,
            dataset,
            settings=settings,
            workers=workers,
            board_folder=options.board,
            command=_command(options),
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


def _planned(experiment: Experiment, dataset: Any, options: SweepOptions) -> Plan:
    """What the command would do first; of a search, what was asked so far and the next round."""
    from vsebench.sweep.search import Search

    store, described = Store(options.runs, experiment.name), dataset.describe()
    if experiment.space is not None:
        plan = Search(experiment, described, store).replay()
        return make_plan(plan.experiment.only(options.only), described, store) if options.only else plan
    return make_plan(experiment.only(options.only) if options.only else experiment, described, store)


def _open(experiment: Experiment) -> Any:
    from vsebench.data.open import open_dataset
    from vsebench.errors import DataError

    try:
        return open_dataset(experiment.spec.dataset, say=lambda text: print(text, flush=True))
    except (ConfigError, DataError) as error:
        if error.place is not None:
            raise
        path = error.path if isinstance(error, ConfigError) else ("dataset",)
        on_key = isinstance(error, ConfigError) and error.on_key
        place = experiment.document.place(path or ("dataset",), on_key=on_key)
        raise type(error)(str(error), place=place) from None


def _command(options: SweepOptions) -> str:
    """What a reader types to get this board; ``--only`` and worker counts do not change it."""
    parts = ["vsebench", "sweep", str(options.file)]
    for assignment in options.overrides:
        parts += ["-o", assignment]
    for plugin in options.plugins:
        parts += ["--plugin", str(plugin)]
    return shlex.join(parts)


def _print_plan(plan: Plan, options: SweepOptions, workers: int) -> None:
    from rich.console import Console
    from rich.table import Table

    spec = plan.experiment.spec
    table = Table(title=f"{plan.experiment.name} on {plan.dataset['title']}", title_justify="left")
    for column in ("row", "uses", "attention", "fusion", "epochs", "seeds"):
        table.add_column(column)
    for row in plan.experiment.rows:
        status = Counter(r.status for r in plan.runs if r.name == row.name)
        system = row.system
        table.add_row(
            row.name,
            " + ".join(getattr(system, f"{m}_encoder").name for m in system.modalities),
            system.attention.name,
            system.fusion.name if system.fusion else "–",
            str(system.train.epochs),
            ", ".join(f"{n} {s}" for s, n in status.items()),
        )
    Console().print(table)
    for line in _search_lines(plan):
        print(line)
    todo = {r.run_id for r in plan.todo}
    done = [r for r in Store(options.runs, spec.experiment).results() if r.status == "finished"]
    print(f"{len({r.run_id for r in plan.runs})} runs, {len(todo)} to do.", end=" ")
    if done:
        mean = sum(r.train_s for r in done) / len(done)
        print(f"At {mean:.1f} s of training per run so far: about {mean * len(todo) / workers / 60:.1f} min.")
    else:
        print("No earlier run to estimate the time from.")


def _search_lines(plan: Plan) -> list[str]:
    from vsebench.sweep.search import progress

    sweep, space, lines = plan.experiment.spec.sweep, plan.experiment.space, []
    if sweep is None:
        return []
    if space is not None:
        done = progress(plan)
        said = ", ".join(f"{count} {state}" for state, count in done.items() if count)
        rounds = f", rounds of {sweep.round}" if sweep.method == "tpe" else ""
        lines.append(f"Search: {sweep.method}, budget {sweep.budget}, sampler seed {sweep.seed}{rounds}.")
        lines.append(f"Asked: {sum(done.values())} of {sweep.budget} configurations ({said}).")
        for group in space.choices.groups:
            labels = [" + ".join(v.label for v in point.values()) for point in group]
            lines.append(f"Axis {' + '.join(group[0])}: {', '.join(labels)}")
        lines += [f"Axis {axis}: {numbers.text}" for axis, numbers in space.ranges.items()]
    if sweep.prune is not None:
        lines.append(f"Pruning: {sweep.prune.text}.")
    return lines


def _log_board(settings: Settings, experiment: Experiment, options: SweepOptions) -> None:
    """The board as a W&B table, in a run of its own in the experiment's group."""
    if settings.wandb_mode == "disabled":
        return
    import csv
    import io

    from vsebench.leaderboard.render import results_file, table_csv
    from vsebench.leaderboard.snapshot import load
    from vsebench.tracking import WandbTracker, wandb_id

    rows = list(csv.reader(io.StringIO(table_csv(load(results_file(options.board, experiment.name))))))
    tracker = WandbTracker(
        mode=settings.wandb_mode,
        folder=settings.store_root / experiment.name,
        project=settings.wandb_project,
        group=experiment.name,
        name="leaderboard",
        run_id=wandb_id(experiment.name, "leaderboard"),
        config={"experiment": experiment.name},
        job_type="leaderboard",
    )
    tracker.log_table("leaderboard", rows[0], rows[1:])
    tracker.finish({})


class ProgressLines:
    """Progress of a sweep: a live bar with what every worker does on a terminal, plain lines elsewhere."""

    def __init__(self, workers: int) -> None:
        from rich.console import Console

        self.console = Console(stderr=True)
        self.live: Any = None
        self.tasks: list[Any] = []
        self.workers = workers
        self.titles: dict[str, str] = {}
        self.total = self.done = self.failed = 0
        self.begin = time.monotonic()
        self.said: dict[int, tuple[float, str]] = {}

    def plan(self, plan: Plan) -> None:
        """Say what will be done; a search says it for each of its rounds."""
        self.titles |= {r.run_id: r.title for r in plan.runs}
        todo = {r.run_id for r in plan.todo}
        everything = {r.run_id for r in plan.runs}
        self.total += len(todo)
        finished = len(everything) - len(todo)
        print(f"{plan.experiment.name}: {len(everything)} runs, {finished} finished, {len(todo)} to do.", flush=True)
        if self.live is not None:
            self.live.update(self.tasks[0], total=self.total)
        elif self.console.is_terminal and todo:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self.console,
            )
            self.tasks = [bar.add_task("sweep", total=len(todo))]
            self.tasks += [bar.add_task("", total=None, visible=False) for _ in range(self.workers)]
            bar.start()
            self.live = bar

    def event(self, event: Event) -> None:
        """Show what a worker says."""
        from rich.markup import escape

        title = self.titles.get(event.run_id, event.run_id)
        if event.kind == "crash":
            self._line(event.text)
        elif event.kind == "end":
            self.done += 1
            self.failed += event.status == "failed"
            mark = {"finished": "done", "pruned": "pruned"}.get(event.status, "FAILED")
            self._line(f"[{self.done}/{self.total}] {mark} {title}: {event.text}")
            if self.live is not None:
                self.live.advance(self.tasks[0])
        elif self.live is not None:
            self.live.update(
                self.tasks[1 + event.worker % self.workers], visible=True, description=escape(f"{title}: {event.text}")
            )
        else:
            self._occasionally(event.worker, f"  {title}: {event.text}")

    def _occasionally(self, worker: int, line: str) -> None:
        # Plain logs get a line per worker every ten seconds, not one per epoch.
        now = time.monotonic()
        before, _ = self.said.get(worker, (self.begin, ""))
        if now - before >= 10:
            self.said[worker] = (now, line)
            self._line(line)

    def _line(self, text: str) -> None:
        if self.live is not None:
            from rich.markup import escape

            self.live.console.print(escape(text), highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Take the live display away."""
        if self.live is not None:
            self.live.stop()
            self.live = None
