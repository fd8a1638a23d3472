"""``vsebench combine``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vsebench.core.errors import ConfigError
from vsebench.core.metric_specs import mode_of, selecting
from vsebench.core.plugins import load_plugins
from vsebench.core.registry import ENSEMBLES
from vsebench.core.terminal import say
from vsebench.results.ensembles.board import refuse_taken, show
from vsebench.results.ensembles.make import Recipe, check_comparable, combination_id, combine, parse_weights
from vsebench.runs.load import LoadedRun, find_run, load_run, row_runs
from vsebench.runs.store import Store
from vsebench.sweeps.worker import choose_device


@dataclass(frozen=True)
class CombineOptions:
    """The command's arguments."""

    said: Sequence[str]
    weights: str | None
    normalize: str
    select: str | None
    name: str | None
    experiment: str | None
    runs: Path
    board: Path
    device: str
    plugins: Sequence[Path]
    trust: bool
    cache: bool


def run_combine(options: CombineOptions) -> None:
    """Find the runs, combine them seed by seed, and write the row.

    Raises: VsebenchError.
    """
    if len(options.said) < 2:
        raise ConfigError("give at least two runs, or rows as experiment/row.")
    weights = parse_weights(options.weights, len(options.said))
    if options.select is not None and (weights is not None or not options.select.startswith("val/")):
        raise ConfigError("--select names the number of validation (val/…) that --weights auto goes by.")
    load_plugins(options.plugins)
    ENSEMBLES.get(options.normalize).validate({})  # unknown, or with an option that has no default
    device = choose_device(options.device, 0)
    groups = groups_of(options.said, options.runs)
    results = []
    for folders in groups:
        loaded = [load_run(folder, device=device, trust=options.trust) for folder in folders]
        check_comparable(loaded)
        recipe = _recipe(options, loaded, weights)
        store = Store(options.runs, options.experiment or loaded[0].experiment)
        refuse_taken(recipe.name, options.board, store)
        done = store.read(combination_id(loaded, recipe))
        result = done or combine(loaded, recipe, store, cache=options.cache, say=say)
        say(f"{recipe.name}, seed {result.seed}: {result.ranking['by']}" + (" (done before)" if done else ""))
        for note in result.notes if recipe.weights is None else ():
            if note.startswith("weights "):
                say(f"note: {note}")
        results.append(result)
    for page in show(results, store, options.board, select=recipe.select, command=_command(options)):
        say(f"wrote {page}")
    say(f"Board: {options.board / (store.experiment + '.md')}")


def groups_of(said: Sequence[str], runs: Path) -> list[list[Path]]:
    """Return the runs to combine: one group of the runs that are named, or a group for each seed that all named rows
    have.

    Raises: ConfigError for rows beside runs, or rows without a common seed; DataError for an unknown run.
    """
    rows = [row_runs(one, runs) for one in said]
    if not any(rows):
        return [[find_run(one, runs) for one in said]]
    if not all(rows):
        first = next(one for one, found in zip(said, rows, strict=True) if not found)
        find_run(first, runs)  # says what there is, where it is no run either
        raise ConfigError(f"give rows or runs, not both: '{first}' is a run.")
    common = sorted(set.intersection(*(set(found) for found in rows)))
    if not common:
        seeds = "; ".join(f"{one} {', '.join(map(str, sorted(r)))}" for one, r in zip(said, rows, strict=True))
        raise ConfigError(f"the rows have no seed in common ({seeds}).")
    return [[found[seed] for found in rows] for seed in common]


def _recipe(options: CombineOptions, runs: Sequence[LoadedRun], weights: tuple[float, ...] | None) -> Recipe:
    name = options.name or " + ".join(dict.fromkeys(run.row for run in runs))
    metric = runs[0].select["metric"]
    select: tuple[str, str] = (metric, mode_of(metric) or runs[0].select["mode"])
    if options.select is not None:
        select = (options.select, selecting(options.select))
    return Recipe(name, options.normalize, weights, select)


def _command(options: CombineOptions) -> str:
    """Return the command line that makes this row."""
    parts = ["vsebench", "combine", *options.said, "--normalize", options.normalize]
    for flag, value in (("--weights", options.weights), ("--select", options.select), ("--name", options.name)):
        parts += [flag, value] if value is not None else []
    return shlex.join(parts)
