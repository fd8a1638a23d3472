"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from vsebench import __version__
from vsebench.cli.app_data import cache_app, data_app
from vsebench.cli.app_look import combine, explain, gallery, measure
from vsebench.cli.app_options import BoardFolder, Device, Overrides, Plugins, RunsFolder, Trust
from vsebench.cli.app_outcomes import outcomes
from vsebench.cli.app_results import Fingerprint, FromWandb, Group, Replace, add_commands, fetch_boards
from vsebench.core.errors import ConfigError, DiskError, VsebenchError
from vsebench.core.terminal import say

app = typer.Typer(
    name="vsebench",
    help="Benchmark multimodal classification and cross-modal retrieval with interchangeable components.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(data_app, name="data")
app.add_typer(cache_app, name="cache")


def main() -> None:
    """Entry point: a user's fault, a disk's or a component's is one message, never a traceback."""
    try:
        app(standalone_mode=True)
    except VsebenchError as error:
        say(f"error: {error}", error=True, lines=True)
        sys.exit(error.exit_code)
    except OSError as error:
        from vsebench.core.files import explain

        say(f"error: {explain(error)}", error=True)
        sys.exit(DiskError.exit_code)
    except Exception as error:
        from vsebench.core.culprit import culprit_of, in_one_line, keep_traceback

        if culprit_of(error) is None:
            raise  # a mistake of ours, to be reported with its traceback
        say(f"error: {in_one_line(error)}{keep_traceback(error)}", error=True)
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"vsebench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    pass


@app.command()
def sweep(
    experiment: Annotated[Path, typer.Argument(help="An experiment file, such as experiments/mmfrb.yaml.")],
    override: Overrides = None,
    plugin: Plugins = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Rows to run, by name or pattern.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Runs at a time; one per core or GPU by default. 0: in this process, to debug it."),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads of each worker. One gives the same numbers anywhere.")
    ] = 1,
    processes_per_run: Annotated[
        int, typer.Option(min=1, help="Processes that train one run together, each with a GPU or threads of its own.")
    ] = 1,
    device: Device = "auto",
    executor: Annotated[
        str, typer.Option(help="local (this machine), ray (an existing Ray cluster) or a plug-in's.")
    ] = "local",
    executor_option: Annotated[
        list[str] | None, typer.Option(help="An option of the executor as NAME=VALUE, for a plug-in's.")
    ] = None,
    address: Annotated[str | None, typer.Option(help="Of the Ray cluster: auto (the default) or HOST:PORT.")] = None,
    cpus_per_run: Annotated[
        float | None, typer.Option(min=0, help="CPUs of a run on the cluster; one per thread by default.")
    ] = None,
    gpus_per_run: Annotated[
        float | None, typer.Option(min=0, help="GPUs of a run on the cluster; one by default where it has GPUs.")
    ] = None,
    wandb: Annotated[str, typer.Option(help="auto (online when logged in), online, offline or disabled.")] = "auto",
    wandb_project: Annotated[str, typer.Option(help="W&B project.")] = "vsebench",
    cache: Annotated[bool, typer.Option(help="Keep frozen features on disk.")] = True,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
) -> None:
    """Run every system of an experiment that has no result yet, and write its leaderboard."""
    from vsebench.cli.components import options_of
    from vsebench.cli.executor import ExecutorOptions
    from vsebench.cli.sweep import SweepOptions, run_sweep
    from vsebench.sweeps.executors.base import Work

    run_sweep(
        SweepOptions(
            file=experiment,
            overrides=tuple(override or ()),
            plugins=tuple(plugin or ()),
            only=tuple(only or ()),
            dry_run=dry_run,
            executor=ExecutorOptions(
                name=executor,
                work=Work(workers, threads, processes_per_run, device),
                options={
                    "address": address,
                    "cpus_per_run": cpus_per_run,
                    "gpus_per_run": gpus_per_run,
                    **options_of(executor_option or ()),
                },
            ),
            wandb=wandb,
            wandb_project=wandb_project,
            cache=cache,
            runs=runs,
            board=board,
        )
    )


@app.command()
def leaderboard(
    experiments: Annotated[list[str] | None, typer.Argument(help="Names; all by default.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail when a page is stale.")] = False,
    html: Annotated[
        bool, typer.Option("--html", help="Write each board as one HTML file that opens anywhere.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="With --html: the file of the one board.")] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write all that is known of every run as FILE.parquet or FILE.csv.")
    ] = None,
    found: Annotated[
        int, typer.Option(min=0, help="With --html: rows of each table whose models are loaded to show what they find.")
    ] = 1,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
    from_wandb: FromWandb = None,
    group: Group = None,
    fingerprint: Fingerprint = None,
    replace: Replace = False,
    plugin: Plugins = None,
    trust: Trust = False,
) -> None:
    """Write the leaderboard pages again from the committed results, or from what a team keeps in W&B."""
    if export is not None:
        from vsebench.cli.leaderboard_export import write_export

        given = {"--check": check, "--html": html, "--out": out, "--from-wandb": from_wandb, "--group": group}
        write_export(board, experiments or (), export, others=[name for name, value in given.items() if value])
        return
    if from_wandb is not None or group is not None:
        fetch_boards(from_wandb, group, fingerprint, replace, board, alone=not (check or experiments))
        return
    from vsebench.leaderboard.render import render, stale

    if html or out is not None:
        from vsebench.cli.leaderboard_html import write_html

        write_html(
            board, experiments or (), runs=runs, out=out, check=check, found=found, plugins=plugin or (), trust=trust
        )
        return
    if check:
        wrong = stale(board, experiments or ())
        for file in wrong:
            say(f"stale: {file}")
        if wrong:
            print("Run 'vsebench leaderboard' and commit what it writes.", file=sys.stderr)
            raise typer.Exit(1)
        print("Every page is what its results give.")
        return
    for file in render(board, experiments or ()):
        say(f"wrote {file}")


@app.command()
def components(
    words: Annotated[list[str] | None, typer.Argument(metavar="[check] [KIND] [NAME]", help="Such as fusion.")] = None,
    option: Annotated[list[str] | None, typer.Option("-o", help="With check: an option, as in scale=2.0.")] = None,
    plugin: Plugins = None,
) -> None:
    """List what can be combined: kinds, the components of a kind, or one with its options, shapes and source.

    'vsebench components check KIND NAME' runs the conformance kit on a component: shapes, masks, gradients,
    determinism, saving, docstring. It exits with 1 when a check fails.
    """
    from vsebench.cli.components import check, show

    if words and words[0] == "check":
        if len(words) != 3:
            raise ConfigError("write 'vsebench components check KIND NAME', such as check fusion gated.")
        raise typer.Exit(check(words[1], words[2], option or (), plugin or ()))
    if option:
        raise ConfigError("-o is for 'vsebench components check KIND NAME'.")
    if len(words or ()) > 2:
        raise ConfigError("write 'vsebench components', 'components KIND' or 'components KIND NAME'.")
    kind, name = [*(words or ()), None, None][:2]
    show(kind, name, plugin or ())


@app.command()
def new(
    kind: Annotated[str, typer.Argument(help="fusion, pooling, attention, head or objective.")],
    name: Annotated[str, typer.Argument(help="Lower-case name, such as my_fusion.")],
    folder: Annotated[Path, typer.Option(help="Where to write.")] = Path("."),
) -> None:
    """Write a working component of your own and its test."""
    from vsebench.testing.scaffold import write_component

    for file in write_component(kind, name, folder):
        say(f"wrote {file}")


@app.command()
def doctor() -> None:
    """Report versions, devices, and what is broken in this installation and how to mend it."""
    from vsebench.cli.doctor import report

    raise typer.Exit(report())


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def index(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="A run's folder, the beginning of its id, or experiment/row.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    split: Annotated[str | None, typer.Option(help="Of the run's dataset; test by default.")] = None,
    source: Annotated[Path | None, typer.Option("--from", help="A folder of images, or of .txt files.")] = None,
    modality: Annotated[str, typer.Option(help="What is found: image or text.")] = "image",
    kind: Annotated[str, typer.Option("--index", help="The index; 'vsebench components index' lists them.")] = "flat",
    runs: RunsFolder = Path("runs"),
    device: Device = "auto",
    plugin: Plugins = None,
    trust: Trust = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out images that cannot be read.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a gallery of that name.")] = False,
    cache: Annotated[bool, typer.Option(help="Keep frozen features on disk.")] = True,
) -> None:
    """Embed a gallery with a finished run, for 'search' and 'serve'. Further options are the index's."""
    from vsebench.cli.index import IndexOptions, make

    make(
        IndexOptions(
            run=run,
            out=out,
            split=split,
            source=source,
            modality=modality,
            index=kind,
            arguments=context.args,
            runs=runs,
            device=device,
            plugins=tuple(plugin or ()),
            trust=trust,
            skip_bad=skip_bad,
            force=force,
            cache=cache,
        )
    )


@app.command()
def search(
    gallery: Annotated[Path, typer.Argument(help="A folder that 'vsebench index' wrote.")],
    text: Annotated[list[str] | None, typer.Option("--text", help="What to look for; may be repeated.")] = None,
    image: Annotated[list[Path] | None, typer.Option("--image", help="A picture; may be repeated.")] = None,
    text_file: Annotated[Path | None, typer.Option(help="A text a line.")] = None,
    k: Annotated[int, typer.Option("-k", help="Number of hits.")] = 10,
    rerank: Annotated[
        int | None, typer.Option(min=1, help="Rank so many of the first again by the system's scorer of pairs.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page of the hits with their pictures.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Write a contact sheet, as PNG.")] = None,
    device: Device = "auto",
    plugin: Plugins = None,
    trust: Trust = False,
) -> None:
    """Find a gallery's items by text or picture."""
    from vsebench.cli.search import SearchOptions, run_search

    run_search(
        SearchOptions(
            gallery=gallery,
            texts=text or (),
            images=image or (),
            text_file=text_file,
            k=k,
            as_json=as_json,
            html=html,
            sheet=sheet,
            device=device,
            rerank=rerank,
            plugins=tuple(plugin or ()),
            trust=trust,
        )
    )


@app.command()
def serve(
    gallery: Annotated[Path, typer.Argument(help="A folder that 'vsebench index' wrote.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    host: Annotated[str, typer.Option(help="Address; this machine alone by default.")] = "127.0.0.1",
    workers: Annotated[int | None, typer.Option(min=1, help="Searches at a time; one per core by default.")] = None,
    queue: Annotated[int, typer.Option(min=0, help="Searches that may wait; beyond them the answer is 503.")] = 64,
    max_upload: Annotated[str, typer.Option(help="The largest picture that is taken.")] = "16MB",
    device: Device = "auto",
    plugin: Plugins = None,
    trust: Trust = False,
) -> None:
    """Serve a gallery as a web page, with JSON beneath it."""
    from vsebench.cli.serve import ServeOptions, run_server

    run_server(ServeOptions(gallery, host, port, workers, queue, max_upload, device, tuple(plugin or ()), trust))


app.command()(gallery)
app.command()(explain)
app.command()(combine)
app.command()(measure)
app.command()(outcomes)
add_commands(app)
