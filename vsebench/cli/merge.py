"""``vsebench results merge``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vsebench.core.errors import DataError
from vsebench.core.terminal import say
from vsebench.leaderboard.collect import united
from vsebench.leaderboard.render import render
from vsebench.leaderboard.table import printable
from vsebench.results.merge import Merged, Origin, merge
from vsebench.runs.item_scores import Outcomes, items_file
from vsebench.runs.item_scores import load as load_outcomes
from vsebench.runs.item_scores import save as save_outcomes
from vsebench.runs.snapshot import load, load_board, results_file, save


@dataclass(frozen=True)
class MergeOptions:
    """The command's arguments."""

    files: Sequence[Path]
    into: Path
    prefer: str | None
    tolerance: float


def run_merge(options: MergeOptions) -> None:
    """Merge results files with what the board has already, and write the board.

    Raises: DataError for what cannot be merged, and for conflicts that nothing settles; then nothing is written.
    """
    origins = [Origin(str(file), load(file)) for file in options.files]
    experiment = origins[0].snapshot.experiment
    there = results_file(options.into, experiment)
    if there.is_file() and there.resolve() not in {file.resolve() for file in options.files}:
        origins.append(Origin(str(there), load_board(options.into, experiment)))
    merged = merge(origins, prefer=options.prefer, tolerance=options.tolerance)
    save(merged.snapshot, there)
    said = _join_outcomes([*options.files, there], merged, options.into)
    for line in [*lines(merged), *said]:
        say(line)
    for file in render(options.into, [experiment]):
        say(f"wrote {file}")
    say(f"Board: {options.into / (experiment + '.md')}")


def _join_outcomes(files: Sequence[Path], merged: Merged, into: Path) -> list[str]:
    """Write what every run made of every item, from the files in the folder ``items`` beside each results folder.
    Returns what to say of runs that none of them knows."""
    experiment = merged.snapshot.experiment
    places = list(dict.fromkeys(items_file(file.resolve().parent.parent, experiment) for file in files))
    said: list[str] = []
    parts: list[Outcomes] = []
    for place in (place for place in places if place.is_file()):
        try:
            part = load_outcomes(place)
        except DataError as error:
            said.append(f"  note: {error} It is left out.")
            continue
        if part.fingerprint == merged.snapshot.dataset["fingerprint"]:
            parts.append(part)
    joined = None
    try:
        joined = united(parts, merged.snapshot) if parts else None
    except DataError as error:
        said.append(f"  note: {error}")
    if joined is not None:
        save_outcomes(joined, items_file(into, experiment))
    finished = {run for run, result in merged.snapshot.results.items() if result.status == "finished"}
    left = finished - (set() if joined is None else joined.runs)
    if not left:
        return said
    return [
        *said,
        f"  note: {len(left)} runs have no per-item outcomes beside their results (items/{printable(experiment)}.npz); "
        "intervals over items and rank groups leave them out",
    ]


def lines(merged: Merged) -> list[str]:
    """Format the summary of a merge."""
    snapshot = merged.snapshot
    said = [
        f"{printable(snapshot.experiment)}: {len(snapshot.rows)} rows, {len(snapshot.results)} runs, seeds "
        + ", ".join(map(str, snapshot.seeds))
    ]
    said += [f"  {count} runs from {printable(name)}" for name, count in merged.came.items()]
    if merged.duplicates:
        said.append(f"  {merged.duplicates} runs were there more than once, with the same numbers")
    said += [f"  settled: {printable(str(one))}" for one in merged.settled]
    return [*said, *(f"  note: {printable(note)}" for note in merged.notes)]
