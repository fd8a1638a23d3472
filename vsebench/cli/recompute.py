"""``vsebench results recompute``: numbers by today's definitions of metrics, from stored predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vsebench.core.terminal import say
from vsebench.leaderboard.render import render, snapshots_of
from vsebench.leaderboard.table import printable
from vsebench.results.renew import Renewed, renew
from vsebench.runs.snapshot import INDEX_FORM, results_file, save
from vsebench.runs.store import Store

#: Runs that are named of those that stand in the way.
SHOWN = 3


def run_recompute(experiments: Sequence[str], runs: Path, board: Path) -> None:
    """Compute again what boards hold by other definitions than today's, and write results and boards.

    Raises: DataError for an experiment without results.
    """
    for snapshot in snapshots_of(board, experiments):
        if snapshot.form == INDEX_FORM:
            continue
        store = Store(runs, snapshot.experiment)
        renewed = renew(snapshot, store)
        for line in lines(snapshot.experiment, renewed):
            say(line)
        for result in renewed.results.values():
            store.write(result)
        if renewed.results:
            results = {**snapshot.results, **renewed.results}
            save(replace(snapshot, results=results), results_file(board, snapshot.experiment))
    for file in render(board, experiments):
        say(f"wrote {file}")


def lines(experiment: str, renewed: Renewed) -> list[str]:
    """Format the summary of a recomputed board."""
    if not renewed.metrics and not renewed.lacking:
        return [f"{experiment}: every number is by today's definitions"]
    found = [
        f"{experiment}: {name} computed again by version {now} (was {before})"
        for name, (before, now) in renewed.metrics.items()
    ]
    for name, reasons in renewed.lacking.items():
        found.append(f"{experiment}: {name} stays as it is; {len(reasons)} runs stand in the way:")
        found += [f"  {printable(reason)}" for reason in reasons[:SHOWN]]
        found += [f"  and {len(reasons) - SHOWN} more"] if len(reasons) > SHOWN else []
    return found
