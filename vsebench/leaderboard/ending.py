"""What a sweep ends with: the first rows of its table, what to do next, and where things are."""

from __future__ import annotations

import shlex
from pathlib import Path

from vsebench.core.terminal import say
from vsebench.leaderboard import index_board
from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.metric_columns import top_table
from vsebench.leaderboard.page import Table, table_of
from vsebench.leaderboard.render import board_of
from vsebench.leaderboard.renderers.text import terminal
from vsebench.leaderboard.table import printable
from vsebench.runs.snapshot import INDEX_FORM, load_board, results_file
from vsebench.stats.rows import views

#: Rows of the table.
MOST = 5


def say_ending(name: str, board: Path, runs: Path, wandb: str = "") -> None:
    """Print the first rows of an experiment's table, and lines of what to do next and where things are.

    Args:
        name: of the experiment.
        board: the leaderboard folder.
        runs: folder of all runs, as the command has it.
        wandb: where W&B has the runs; empty where it has none.
    """
    if results_file(board, name).is_file():
        for line in _results(name, board):
            say(line, lines=True)
    say(f"Board: {board / (name + '.md')}")
    say(f"Runs: {runs / name}")
    if wandb:
        say(f"W&B: {wandb}")


def _results(name: str, board: Path) -> list[str]:
    """Return the table and the next commands; nothing of a board without finished runs."""
    snapshot = load_board(board, name)
    if snapshot.form == INDEX_FORM:
        rows = views(snapshot, index_board.SECTION)
        table = table_of(index_board.columns(snapshot, rows), rows[:MOST]) if rows else None
        return [] if table is None else [_shown(table, len(rows))]
    data = board_of(snapshot, board)
    if not data.rows:
        return []
    section = data.sections[0]
    table = top_table(data, section, MOST)
    return [_shown(table, len(views(snapshot, section))), *_next(data, table, board)]


def _shown(table: Table, count: int) -> str:
    """Return a table as text, with what its star means and how many rows are left out."""
    notes = ["* leading group: not shown to be worse than the best on validation"] * any(
        line.leading for line in table.lines
    )
    notes += [f"{count - MOST} more rows on the board"] * (count > MOST)
    return "\n".join(["", terminal(table).rstrip("\n"), *(f"  {note}" for note in notes), ""])


def _next(data: BoardData, table: Table, board: Path) -> list[str]:
    """Return commands that go on from here, each with what it is for."""
    snapshot = data.snapshot
    rows = [shlex.quote(f"{snapshot.experiment}/{printable(line.source.row.name)}") for line in table.lines]
    folder = "" if board == Path("leaderboard") else f" --board {shlex.quote(str(board))}"
    steps = [(f"vsebench gallery {rows[0]}", "what the first gets right and wrong")]
    if len(rows) > 1:
        steps.insert(0, (f"vsebench compare {rows[0]} {rows[1]}{folder}", "is the first better than the second?"))
    if len(snapshot.seeds) == 1:
        steps.append((f"{snapshot.command} -o 'seeds=[0,1,2]'", "one seed says nothing of chance in training"))
    wide = max(len(command) for command, _ in steps)
    return ["\n".join(["Next:", *(f"  {command:<{wide}}  # {why}" for command, why in steps)])]
