"""Commands on results: ``verify``, ``reproduce``. Nothing heavy is imported before one needs it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vsebench.cli_options import BoardFolder, Device, Plugins, RunsFolder

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


def reproduce(
    row: Annotated[str, typer.Argument(help="experiment/row, a run's folder, or the beginning of its id.")],
    seed: Annotated[int | None, typer.Option(help="Of the row; its best on validation by default.")] = None,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
    out: Annotated[Path, typer.Option(help="Folder for the run that is done again.")] = Path("reproduced"),
    dataset: Annotated[
        str | None, typer.Option(help="A dataset file or name; found by fingerprint by default.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(min=0, help="How far apart numbers may be; the row's interval by default.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="As many as the run had by default.")] = None,
    device: Device = "auto",
    plugin: Plugins = None,
    cache: Annotated[bool, typer.Option(help="Keep frozen features on disk.")] = True,
) -> None:
    """Train a run again from its stored configuration, and compare what comes of it."""
    from vsebench.commands.reproduce import ReproduceOptions, run_reproduce

    raise typer.Exit(
        run_reproduce(
            ReproduceOptions(
                said=row,
                seed=seed,
                runs=runs,
                board=board,
                out=out,
                dataset=dataset,
                tolerance=tolerance,
                threads=threads,
                device=device,
                plugins=tuple(plugin or ()),
                cache=cache,
            )
        )
    )


def add_commands(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.command()(verify)
    app.command()(reproduce)
