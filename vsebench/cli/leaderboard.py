"""``vsebench leaderboard``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from vsebench.cli.options import BoardFolder, Boards, Plugins, RunsFolder, Trust
from vsebench.core.errors import ConfigError
from vsebench.core.terminal import say


def leaderboard(
    experiments: Boards = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail when a page is stale.")] = False,
    html: Annotated[
        bool, typer.Option("--html", help="Write each board as one HTML file that opens anywhere.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="With --html: the file of the one board. With --show: the file.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write all that is known of every run as FILE.parquet or FILE.csv.")
    ] = None,
    show: Annotated[
        Literal["terminal", "latex", "csv", "parquet"] | None,
        typer.Option(help="Print each board's table of rows instead, or write it to --out."),
    ] = None,
    section: Annotated[
        str | None, typer.Option(help="With --show: the tables of this section of the page, such as Robustness.")
    ] = None,
    examples: Annotated[
        int, typer.Option(min=0, help="With --html: rows of each table whose models are loaded to show what they find.")
    ] = 1,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
    from_wandb: Annotated[str | None, typer.Option(help="Take results from W&B: ENTITY/PROJECT.")] = None,
    group: Annotated[str | None, typer.Option(help="With --from-wandb: one experiment; all by default.")] = None,
    fingerprint: Annotated[
        str | None, typer.Option(help="With --from-wandb: the dataset's, where runs are of several.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="With --from-wandb: drop what the board has and W&B has not.")
    ] = False,
    plugin: Plugins = None,
    trust: Trust = False,
) -> int:
    """Write the leaderboard pages again from the committed results, or from what a team keeps in W&B.

    Example: vsebench leaderboard mmfrb --html --out mmfrb.html
    """
    from vsebench.leaderboard.render import render, stale

    # One command writes, checks, fetches and exports; each branch imports what it alone needs, so that --help is fast.
    if export is not None:
        from vsebench.cli.leaderboard_export import write_export

        given = {"--check": check, "--html": html, "--out": out, "--from-wandb": from_wandb, "--group": group}
        write_export(board, experiments or (), export, others=[name for name, value in given.items() if value])
    elif show is not None:
        from vsebench.cli.leaderboard_show import print_tables

        print_tables(board, experiments or (), show, out, section)
    elif section is not None:
        raise ConfigError("--section goes with --show, which prints its tables.")
    elif from_wandb is not None:
        from vsebench.cli.from_wandb import fetch_boards

        if check or experiments:
            raise ConfigError("--from-wandb writes boards; it goes neither with --check nor with names (use --group).")
        fetch_boards(from_wandb, board, group=group, fingerprint=fingerprint, replace=replace)
    elif group is not None:
        raise ConfigError("--group goes with --from-wandb ENTITY/PROJECT.")
    elif html or out is not None:
        from vsebench.cli.leaderboard_html import write_html

        write_html(
            board, experiments or (), runs=runs, out=out, check=check, count=examples, plugins=plugin or (), trust=trust
        )
    elif check:
        wrong = stale(board, experiments or ())
        for file in wrong:
            say(f"stale: {file}")
        if wrong:
            print("Run 'vsebench leaderboard' and commit what it writes.", file=sys.stderr)
            return 1
        print("Every page agrees with its results.")
    else:
        for file in render(board, experiments or ()):
            say(f"wrote {file}")
    return 0
