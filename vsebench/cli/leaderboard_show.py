"""Print boards' tables of rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vsebench.core.terminal import say
from vsebench.leaderboard.pages import board_page
from vsebench.leaderboard.render import board_of, snapshots_of
from vsebench.leaderboard.renderers import text


def print_tables(board: Path, experiments: Sequence[str], form: Literal["terminal", "latex", "csv"]) -> None:
    """Print the tables of rows of some boards, of all by default.

    Args:
        board: the leaderboard folder.
        experiments: names of boards; all where there are none.
        form: aligned text, a LaTeX ``tabular``, or every column as CSV.

    Raises: DataError for an experiment without results.
    """
    render = {"terminal": text.terminal, "latex": text.latex, "csv": text.table_csv}[form]
    for snapshot in snapshots_of(board, experiments):
        for table in board_page(board_of(snapshot, board)).tables():
            say(render(table), lines=True)
