"""Commands on results: ``verify``. Nothing heavy is imported before one needs it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vsebench.cli_options import BoardFolder, RunsFolder

Boards = Annotated[list[str] | None, typer.Argument(help="Names of boards; all by default.")]


def verify(
    experiments: Boards = None,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
    strict: Annotated[bool, typer.Option("--strict", help="Fail as well on what cannot be checked.")] = False,
) -> None:
    """Compute every number of a board again from the stored predictions, and compare it down to the pages."""
    from vsebench.commands.verify import VerifyOptions, run_verify

    raise typer.Exit(run_verify(VerifyOptions(tuple(experiments or ()), runs, board, strict)))


def add_commands(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.command()(verify)
