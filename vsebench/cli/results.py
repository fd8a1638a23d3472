"""Results files of boards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vsebench.cli.options import PLAIN, BoardFolder, Boards, Plugins, RunsFolder
from vsebench.core.errors import DataError
from vsebench.core.plugins import load_plugins
from vsebench.core.terminal import say
from vsebench.leaderboard.table import printable

if TYPE_CHECKING:
    from vsebench.results.carry_over import Carried
    from vsebench.results.merge import Merged
    from vsebench.results.renew import Renewed
    from vsebench.runs.item_scores import ItemScores

app = typer.Typer(help=__doc__, no_args_is_help=True, **PLAIN)
#: Runs that are named of those that stand in the way.
SHOWN = 3


@app.command()
def merge(
    files: Annotated[list[Path], typer.Argument(help="Results files (leaderboard/results/….json) of one experiment.")],
    into: Annotated[Path, typer.Option(help="Folder of the leaderboards; what its board has is merged too.")] = Path(
        "leaderboard"
    ),
    prefer: Annotated[
        str | None, typer.Option(help="Which wins in conflicts: first, last, or one of the files.")
    ] = None,
    tolerance: Annotated[float, typer.Option(min=0, help="Relative; one run's numbers may be so far apart.")] = 1e-5,
) -> None:
    """Unite results of one experiment from several machines or people, and write its board.

    Example: vsebench results merge mine.json yours.json
    """
    from vsebench.leaderboard.published import details_file, unite
    from vsebench.leaderboard.render import render
    from vsebench.results.merge import Origin
    from vsebench.results.merge import merge as united
    from vsebench.runs.snapshot import load, load_board, results_file, save

    origins = [Origin(str(file), load(file)) for file in files]
    experiment = origins[0].snapshot.experiment
    folder_files = results_file(into, experiment)
    if folder_files.is_file() and folder_files.resolve() not in {file.resolve() for file in files}:
        origins.append(Origin(str(folder_files), load_board(into, experiment)))
    merged = united(origins, prefer=prefer, tolerance=tolerance)
    save(merged.snapshot, folder_files)
    notes = _join_item_scores([*files, folder_files], merged, into)
    boards = list(dict.fromkeys(file.resolve().parent.parent for file in [*files, folder_files]))
    unite(merged.snapshot, [details_file(one, experiment) for one in boards], details_file(into, experiment))
    for line in [*merge_lines(merged), *notes]:
        say(line)
    for file in render(into, [experiment]):
        say(f"wrote {file}")
    say(f"Board: {into / (experiment + '.md')}")


def _join_item_scores(files: Sequence[Path], merged: Merged, into: Path) -> list[str]:
    """Write what every run made of every item, from the files in the folder ``items`` beside each results folder.
    Returns what to say of runs that none of them knows."""
    from vsebench.leaderboard.collect import united
    from vsebench.runs.item_scores import items_file
    from vsebench.runs.item_scores import load as load_item_scores
    from vsebench.runs.item_scores import save as save_item_scores

    experiment = merged.snapshot.experiment
    places = list(dict.fromkeys(items_file(file.resolve().parent.parent, experiment) for file in files))
    lines: list[str] = []
    parts: list[ItemScores] = []
    for place in (place for place in places if place.is_file()):
        try:
            part = load_item_scores(place)
        except DataError as error:
            lines.append(f"  note: {error} It is left out.")
            continue
        if part.fingerprint == merged.snapshot.dataset["fingerprint"]:
            parts.append(part)
    joined = None
    try:
        joined = united(parts, merged.snapshot) if parts else None
    except DataError as error:
        lines.append(f"  note: {error}")
    if joined is not None:
        save_item_scores(joined, items_file(into, experiment))
    finished = {run for run, result in merged.snapshot.results.items() if result.status == "finished"}
    left = finished - (set() if joined is None else joined.runs)
    if not left:
        return lines
    return [
        *lines,
        f"  note: {len(left)} runs have no per-item outcomes beside their results (items/{printable(experiment)}.npz); "
        "intervals over items and rank groups leave them out",
    ]


def merge_lines(merged: Merged) -> list[str]:
    """Format the summary of a merge."""
    snapshot = merged.snapshot
    lines = [
        f"{printable(snapshot.experiment)}: {len(snapshot.rows)} rows, {len(snapshot.results)} runs, seeds "
        + ", ".join(map(str, snapshot.seeds))
    ]
    lines += [f"  {count} runs from {printable(name)}" for name, count in merged.came.items()]
    if merged.duplicates:
        lines.append(f"  {merged.duplicates} runs were there more than once, with the same numbers")
    lines += [f"  settled: {printable(str(one))}" for one in merged.settled]
    return [*lines, *(f"  note: {printable(note)}" for note in merged.notes)]


@app.command()
def recompute(
    experiments: Boards = None, runs: RunsFolder = Path("runs"), board: BoardFolder = Path("leaderboard")
) -> None:
    """Compute numbers that are by older definitions of metrics again from the stored predictions, and write boards.

    Example: vsebench results recompute mmfrb
    """
    from vsebench.leaderboard.render import render, snapshots_of
    from vsebench.results.renew import renew
    from vsebench.runs.snapshot import INDEX_FORM, results_file, save
    from vsebench.runs.store import Store

    for snapshot in snapshots_of(board, experiments or ()):
        if snapshot.form == INDEX_FORM:
            continue
        store = Store(runs, snapshot.experiment)
        renewed = renew(snapshot, store)
        for line in recompute_lines(snapshot.experiment, renewed):
            say(line)
        for result in renewed.results.values():
            store.write(result)
        if renewed.results:
            results = {**snapshot.results, **renewed.results}
            save(replace(snapshot, results=results), results_file(board, snapshot.experiment))
    for file in render(board, experiments or ()):
        say(f"wrote {file}")


def recompute_lines(experiment: str, renewed: Renewed) -> list[str]:
    """Format the summary of a recomputed board."""
    if not renewed.metrics and not renewed.missing:
        return [f"{experiment}: every number is by today's definitions"]
    results = [
        f"{experiment}: {name} computed again by version {now} (was {before})"
        for name, (before, now) in renewed.metrics.items()
    ]
    for name, reasons in renewed.missing.items():
        results.append(f"{experiment}: {name} stays as it is; {len(reasons)} runs stand in the way:")
        results += [f"  {printable(reason)}" for reason in reasons[:SHOWN]]
        results += [f"  and {len(reasons) - SHOWN} more"] if len(reasons) > SHOWN else []
    return results


@app.command()
def carry_over(
    experiment: Annotated[Path, typer.Argument(help="Experiment file, or its name.")],
    runs: RunsFolder = Path("runs"),
    plugin: Plugins = None,
) -> None:
    """Give finished runs of the earlier form of ids the ids that the same configuration has today.

    Configuration, data, metrics and pretrained weights are compared, not the code: 'vsebench reproduce' shows
    whether today's code gives the same numbers.

    Example: vsebench results carry-over mmfrb
    """
    from vsebench.config.experiment import load_experiment
    from vsebench.config.find import experiment_file
    from vsebench.results.carry_over import carry_over as carry
    from vsebench.runs.store import Store

    load_plugins(plugin or ())
    loaded = load_experiment(experiment_file(experiment), runs_here=False)
    for line in carry_over_lines(loaded.name, carry(loaded, Store(runs, loaded.name))):
        say(line)


def carry_over_lines(experiment: str, carried: Carried) -> list[str]:
    """Format the summary of runs that were carried over."""
    if not carried.ids and not carried.left:
        return [f"{experiment}: no finished run has an id of the earlier form"]
    lines = [f"{experiment}: {len(carried.ids)} runs have their ids of today"] if carried.ids else []
    if carried.ids:
        lines.append("  'vsebench sweep' writes them to the board; 'vsebench reproduce' shows whether numbers hold")
    by_reason: dict[str, list[str]] = defaultdict(list)
    for run, reason in carried.left.items():
        by_reason[reason].append(run)
    for reason, left in by_reason.items():
        more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
        lines.append(f"{experiment}: not carried over: {', '.join(left[:SHOWN])}{more}: {printable(reason)}")
    return lines
