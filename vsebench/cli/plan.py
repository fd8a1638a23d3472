"""What is said of a plan: its rows, a search's space, what it will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsebench.core.sizes import duration_in_words, in_words
from vsebench.core.terminal import on_one_line, say

if TYPE_CHECKING:
    from vsebench.config.experiment import Experiment
    from vsebench.sweeps.plan import Plan


def print_plan(plan: Plan, runs: Path, workers: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    title = on_one_line(f"{plan.experiment.name} on {plan.dataset['title']}")
    table = Table(title=Text(title), title_justify="left")
    for column in ("row", "uses", "attention", "fusion", "epochs", "seeds"):
        table.add_column(column)
    for row in plan.experiment.rows:
        status = Counter(r.status for r in plan.runs if r.name == row.name)
        system = row.system
        table.add_row(
            Text(on_one_line(row.name)),
            " + ".join(system.encoder(m).name for m in system.modalities),
            system.attention.name,
            system.fusion.name if system.fusion else "–",
            str(system.train.epochs),
            ", ".join(f"{n} {s}" for s, n in status.items()),
        )
    Console().print(table)
    for line in [*_grid_lines(plan), *_search_lines(plan)]:
        say(line)
    _print_estimate(plan, runs, workers)


def _print_estimate(plan: Plan, runs: Path, workers: int) -> None:
    from vsebench.sweeps.estimate import estimate

    todo = {r.run_id for r in plan.todo}
    counts = f"{len({r.run_id for r in plan.runs})} runs, {len(todo)} to do."
    if not todo:
        say(counts)
        return
    result = estimate(plan, runs, device=record_device())
    seconds = result.total(workers)
    if seconds is None:
        say(f"{counts} No earlier run on this hardware to estimate time and disk from.")
        return
    listing = ", ".join(f"{count} from {tier}" for tier, count in result.based_on.items())
    say(
        f"{counts} About {duration_in_words(seconds)} with {workers} {'worker' if workers == 1 else 'workers'}, and "
        f"{in_words(result.size)} under {runs}."
    )
    say(f"Estimated from {result.records} earlier runs: {listing}. Features of frozen encoders: vsebench cache list.")


def record_device() -> str:
    """Return the hardware as results name it."""
    from vsebench.runs.provenance import device_name

    return device_name()


def _grid_lines(plan: Plan) -> list[str]:
    points = Counter(row.path for row in plan.experiment.rows)
    lines = []
    for path, block in plan.experiment.spec.sweeps.items():
        if block.method == "grid":
            axes = " × ".join([*block.grid, *(" + ".join(zipped) for zipped in block.zip)])
            lines.append(f"Grid {axes}: {points[path]} point{'' if points[path] == 1 else 's'}.")
    return lines


def _search_lines(plan: Plan) -> list[str]:
    from vsebench.sweeps.tuning import progress

    prune, space, lines = plan.experiment.spec.prune, plan.experiment.space, []
    if space is not None:
        sweep, done = space.sweep, progress(plan)
        listing = ", ".join(f"{count} {state}" for state, count in done.items() if count)
        rounds = f", rounds of {sweep.round}" if sweep.method == "tpe" else ""
        lines.append(f"Search: {sweep.method}, budget {sweep.budget}, sampler seed {sweep.seed}{rounds}.")
        lines.append(f"Asked: {sum(done.values())} of {sweep.budget} configurations ({listing}).")
        for group in space.choices.groups:
            labels = [" + ".join(v.label for v in point.values()) for point in group]
            lines.append(f"Axis {' + '.join(group[0])}: {', '.join(labels)}")
        lines += [f"Axis {axis}: {numbers.text}" for axis, numbers in space.ranges.items()]
    if prune is not None:
        lines.append(f"Pruning: {prune.text}.")
    return lines


def planned(experiment: Experiment, dataset: Any, only: Sequence[str], runs: Path) -> Plan:
    """Return the plan of the first round; for a search, the runs requested so far and the next round."""
    from vsebench.runs.store import Store
    from vsebench.sweeps.plan import make_plan
    from vsebench.sweeps.tuning import Search

    store, described = Store(runs, experiment.name), dataset.describe()
    if experiment.space is not None:
        plan = Search(experiment, described, store).replay()
        return make_plan(plan.experiment.only(only), described, store) if only else plan
    return make_plan(experiment.only(only) if only else experiment, described, store)
