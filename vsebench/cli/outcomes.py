"""``vsebench outcomes``."""

from __future__ import annotations

from pathlib import Path

from vsebench.cli.options import BoardFolder, Boards, RunsFolder
from vsebench.core.terminal import say


def outcomes(
    experiments: Boards = None, runs: RunsFolder = Path("runs"), board: BoardFolder = Path("leaderboard")
) -> None:
    """Collect the per-item results of finished runs, for a board's intervals and tests, and write the boards.

    Example: vsebench outcomes mmfrb
    """
    from vsebench.leaderboard.collect import update
    from vsebench.leaderboard.render import render, snapshots_of
    from vsebench.runs.item_scores import items_file
    from vsebench.runs.snapshot import INDEX_FORM

    for snapshot in snapshots_of(board, experiments or ()):
        if snapshot.form == INDEX_FORM:
            continue
        finished = sum(result.status == "finished" for result in snapshot.results.values())
        missing = update(snapshot, runs, board)
        say(f"{items_file(board, snapshot.experiment)}: {finished - len(missing)} of {finished} runs")
        if missing:
            more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
            say(f"  without predictions in {runs / snapshot.experiment}: {', '.join(missing[:10])}{more}")
    for file in render(board, experiments or ()):
        say(f"wrote {file}")
