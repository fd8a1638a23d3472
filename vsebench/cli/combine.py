"""``vsebench combine``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vsebench.cli.options import (
    RUN_HELP,
    BoardFolder,
    Cache,
    Device,
    Plugins,
    RunsFolder,
    Trust,
    complete_board,
    complete_run,
)
from vsebench.core.errors import ConfigError
from vsebench.core.metric_specs import mode_of, selecting
from vsebench.core.plugins import load_plugins
from vsebench.core.registry import ENSEMBLES
from vsebench.core.terminal import say

if TYPE_CHECKING:
    from vsebench.runs.load import LoadedRun


def combine(
    run: Annotated[list[str], typer.Argument(help=f"Two or more. {RUN_HELP}", autocompletion=complete_run)],
    weights: Annotated[
        str | None, typer.Option(help="Numbers with commas, or auto: chosen on validation. Equal by default.")
    ] = None,
    normalize: Annotated[
        str, typer.Option(help="Of each run's scores, query by query: zscore, minmax, rank, rrf or none.")
    ] = "zscore",
    select: Annotated[
        str | None, typer.Option(help="What --weights auto goes by, as val/rsum; what chose the epochs by default.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the board's row; the rows' names by default.")] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Whose board; the first run's by default.", autocompletion=complete_board)
    ] = None,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
    device: Device = "auto",
    plugin: Plugins = None,
    trust: Trust = False,
    cache: Cache = True,
) -> None:
    """Rank by a weighted sum of finished runs' scores, and put it on the board; rows are combined seed by seed.

    Example: vsebench combine "mmfrb/VSE" "mmfrb/CIM" --weights auto
    """
    from vsebench.results.ensembles.board import refuse_taken
    from vsebench.results.ensembles.board import show as written
    from vsebench.results.ensembles.make import Recipe, check_comparable, combination_id, parse_weights
    from vsebench.results.ensembles.make import combine as combined
    from vsebench.runs.load import load_run
    from vsebench.runs.store import Store
    from vsebench.sweeps.worker import choose_device

    if len(run) < 2:
        raise ConfigError("give at least two runs, or rows as experiment/row.")
    parsed = parse_weights(weights, len(run))
    if select is not None and (parsed is not None or not select.startswith("val/")):
        raise ConfigError("--select names the number of validation (val/…) that --weights auto goes by.")
    load_plugins(plugin or ())
    ENSEMBLES.get(normalize).validate({})  # unknown, or with an option that has no default
    where = choose_device(device, 0)
    flags = {"--normalize": normalize, "--weights": weights, "--select": select, "--name": name}
    given = [word for flag, value in flags.items() if value is not None for word in (flag, value)]
    results = []
    for folders in groups_of(run, runs):
        loaded = [load_run(folder, device=where, trust=trust) for folder in folders]
        check_comparable(loaded)
        rows = " + ".join(dict.fromkeys(one.row for one in loaded))
        recipe = Recipe(name or rows, normalize, parsed, _selected(select, loaded[0]))
        store = Store(runs, experiment or loaded[0].experiment)
        refuse_taken(recipe.name, board, store)
        done = store.read(combination_id(loaded, recipe))
        result = done or combined(loaded, recipe, store, cache=cache, say=say)
        say(f"{recipe.name}, seed {result.seed}: {result.ranking['by']}" + (" (done before)" if done else ""))
        for note in result.notes if recipe.weights is None else ():
            if note.startswith("weights "):
                say(f"note: {note}")
        results.append(result)
    for page in written(
        results, store, board, select=recipe.select, command=shlex.join(["vsebench", "combine", *run, *given])
    ):
        say(f"wrote {page}")
    say(f"Board: {board / (store.experiment + '.md')}")


def groups_of(names: Sequence[str], runs: Path) -> list[list[Path]]:
    """Return the runs to combine: one group of the runs that are named, or a group for each seed that all named rows
    have.

    Raises: ConfigError for rows beside runs, or rows without a common seed; DataError for an unknown run.
    """
    from vsebench.runs.find import find_run, row_runs

    rows = [row_runs(one, runs) for one in names]
    if not any(rows):
        return [[find_run(one, runs) for one in names]]
    if not all(rows):
        first = next(one for one, result in zip(names, rows, strict=True) if not result)
        find_run(first, runs)  # says what there is, where it is no run either
        raise ConfigError(f"give rows or runs, not both: '{first}' is a run.")
    common = sorted(set.intersection(*(set(result) for result in rows)))
    if not common:
        seeds = "; ".join(f"{one} {', '.join(map(str, sorted(r)))}" for one, r in zip(names, rows, strict=True))
        raise ConfigError(f"the rows have no seed in common ({seeds}).")
    return [[result[seed] for result in rows] for seed in common]


def _selected(select: str | None, first: LoadedRun) -> tuple[str, str]:
    """Return the metric that weights are chosen by, and its direction."""
    if select is not None:
        return select, selecting(select)
    metric = first.select["metric"]
    return metric, mode_of(metric) or first.select["mode"]
