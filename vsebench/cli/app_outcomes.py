"""The command ``outcomes``. Nothing heavy is imported before it needs it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vsebench.cli.app_options import BoardFolder, RunsFolder


def outcomes(
    experiments: Annotated[list[str] | None, typer.Argument(help="Names; all by default.")] = None,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
) -> None:
    """Collect what finished runs made of every test item, for a board's intervals and tests, and write the boards."""
    from vsebench.cli.outcomes import collect

    collect(experiments or (), runs, board)
