"""Commands on results: ``verify``, ``reproduce``, ``compare``, ``results merge`` and ``recompute``. Nothing heavy is
imported early."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vsebench.cli.app_options import BoardFolder, Device, Plugins, RunsFolder, Trust

results_app = typer.Typer(help="Results files of boards.", no_args_is_help=True)
Boards = Annotated[list[str] | None, typer.Argument(help="Names of boards; all by default.")]

FromWandb = Annotated[str | None, typer.Option(help="Take results from W&B: ENTITY/PROJECT.")]
Group = Annotated[str | None, typer.Option(help="With --from-wandb: one experiment; all by default.")]
Fingerprint = Annotated[str | None, typer.Option(help="With --from-wandb: the dataset's, where runs are of several.")]
Replace = Annotated[bool, typer.Option("--replace", help="With --from-wandb: drop what the board has and W&B has not.")]


def verify(
    experiments: Boards = None,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
    strict: Annotated[bool, typer.Option("--strict", help="Fail as well on what cannot be checked.")] = False,
    plugin: Plugins = None,
    trust: Trust = False,
) -> None:
    """Compute every number of a board again from the stored predictions, and compare it down to the pages."""
    from vsebench.cli.verify import VerifyOptions, run_verify

    raise typer.Exit(
        run_verify(VerifyOptions(tuple(experiments or ()), runs, board, strict, tuple(plugin or ()), trust))
    )


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
    trust: Trust = False,
    cache: Annotated[bool, typer.Option(help="Keep frozen features on disk.")] = True,
) -> None:
    """Train a run again from its stored configuration, and compare what comes of it."""
    from vsebench.cli.reproduce import ReproduceOptions, run_reproduce

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
                trust=trust,
                cache=cache,
            )
        )
    )


@results_app.command("merge")
def merge(
    files: Annotated[list[Path], typer.Argument(help="Results files (leaderboard/results/….json) of one experiment.")],
    into: Annotated[Path, typer.Option(help="Folder of the leaderboards; what its board has is merged too.")] = Path(
        "leaderboard"
    ),
    prefer: Annotated[
        str | None, typer.Option(help="Whose word counts in conflicts: first, last, or one of the files.")
    ] = None,
    tolerance: Annotated[float, typer.Option(min=0, help="Relative; one run's numbers may be so far apart.")] = 1e-5,
) -> None:
    """Unite results of one experiment from several machines or people, and write its board."""
    from vsebench.cli.merge import MergeOptions, run_merge

    run_merge(MergeOptions(tuple(files), into, prefer, tolerance))


@results_app.command("recompute")
def recompute(
    experiments: Boards = None,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
) -> None:
    """Compute numbers that are by older definitions of metrics again from the stored predictions, and write boards."""
    from vsebench.cli.recompute import run_recompute

    run_recompute(experiments or (), runs, board)


def compare(
    run_a: Annotated[str, typer.Argument(help="A run's folder, the beginning of its id, or experiment/row.")],
    run_b: Annotated[str, typer.Argument(help="Another one on the same data.")],
    split: Annotated[str, typer.Option(help="That both were evaluated on: test or val.")] = "test",
    show: Annotated[int, typer.Option(min=0, help="Items that are shown of each disagreement.")] = 10,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures of the items.")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="A dataset file or name; found by fingerprint by default.")
    ] = None,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
) -> None:
    """Compare two runs: what differs in their configuration, their numbers, paired tests, and where they disagree."""
    from vsebench.cli.compare import CompareOptions, run_compare

    run_compare(CompareOptions(run_a, run_b, split, show, html, dataset, runs, board))


def fetch_boards(
    project: str | None, group: str | None, fingerprint: str | None, replace: bool, board: Path, *, alone: bool
) -> None:
    """``vsebench leaderboard --from-wandb``."""
    from vsebench.cli.from_wandb import FromWandbOptions, run_from_wandb
    from vsebench.core.errors import ConfigError

    if project is None:
        raise ConfigError("--group goes with --from-wandb ENTITY/PROJECT.")
    if not alone:
        raise ConfigError("--from-wandb writes boards; it goes neither with --check nor with names (use --group).")
    run_from_wandb(FromWandbOptions(project, group, fingerprint, replace, board))


def add_commands(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.command()(verify)
    app.command()(reproduce)
    app.command()(compare)
    app.add_typer(results_app, name="results")
