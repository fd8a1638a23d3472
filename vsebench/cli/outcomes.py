"""``vsebench outcomes``: outcomes of single test items beside boards that were written without them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vsebench.core.terminal import say
from vsebench.leaderboard.collect import update
from vsebench.leaderboard.render import render, snapshots_of
from vsebench.runs.item_scores import items_file
from vsebench.runs.snapshot import INDEX_FORM


def collect(experiments: Sequence[str], runs: Path, board: Path) -> None:
    """Collect them for some experiments, for all by default, and write their boards again.

    Raises: DataError for an experiment without results, and for predictions that are not those of its results.
    """
    for snapshot in snapshots_of(board, experiments):
        if snapshot.form == INDEX_FORM:
            continue
        finished = sum(result.status == "finished" for result in snapshot.results.values())
        lacking = update(snapshot, runs, board)
        say(f"{items_file(board, snapshot.experiment)}: {finished - len(lacking)} of {finished} runs")
        if lacking:
            more = f" and {len(lacking) - 10} more" if len(lacking) > 10 else ""
            say(f"  without predictions in {runs / snapshot.experiment}: {', '.join(lacking[:10])}{more}")
    for file in render(board, experiments):
        say(f"wrote {file}")
