"""Commands on finished runs: ``gallery``, ``explain``, ``combine``, ``measure``. Nothing heavy is imported early."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vsebench.cli.app_options import BoardFolder, Device, Overrides, Plugins, RunsFolder, Trust


def gallery(
    run: Annotated[str, typer.Argument(help="A run's folder, the beginning of its id, or experiment/row.")],
    split: Annotated[str, typer.Option(help="That the run was evaluated on: test or val.")] = "test",
    queries: Annotated[int, typer.Option(help="Of each kind (best, worst, random), in each direction.")] = 12,
    k: Annotated[int, typer.Option("-k", help="Number of results of each query.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Which random ones, and which of equally good ones.")] = 0,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("gallery.html"),
    runs: RunsFolder = Path("runs"),
    device: Device = "auto",
    plugin: Plugins = None,
    trust: Trust = False,
    cache: Annotated[bool, typer.Option(help="Keep frozen features on disk.")] = True,
) -> None:
    """Write a page of a run's best, worst and random queries with what it found, or of items with their classes."""
    from vsebench.cli.gallery import GalleryOptions, write_page

    write_page(GalleryOptions(run, split, queries, k, seed, out, runs, device, tuple(plugin or ()), trust, cache))


def explain(
    run: Annotated[str, typer.Argument(help="A run's folder, the beginning of its id, or experiment/row.")],
    item: Annotated[str, typer.Option("--id", help="An item of the run's dataset.")],
    caption: Annotated[int, typer.Option(help="Which of its captions, from 1.")] = 1,
    out: Annotated[Path, typer.Option(help="A page (.html) or a picture (.png).")] = Path("explain.html"),
    runs: RunsFolder = Path("runs"),
    device: Device = "auto",
    plugin: Plugins = None,
    trust: Trust = False,
) -> None:
    """Draw what a run's attention does with an item: words over the image, weights of words and regions by step."""
    from vsebench.cli.explain import ExplainOptions, draw

    draw(ExplainOptions(run, item, caption, out, runs, device, tuple(plugin or ()), trust))


def combine(
    run: Annotated[list[str], typer.Argument(help="Runs (a folder, the beginning of an id), or rows: experiment/row.")],
    weights: Annotated[
        str | None, typer.Option(help="Numbers with commas, or auto: chosen on validation. Equal by default.")
    ] = None,
    normalize: Annotated[
        str, typer.Option(help="Of each run's scores, query by query: zscore, minmax, rank, rrf or none.")
    ] = "zscore",
    select: Annotated[
        str | None, typer.Option(help="What --weights auto goes by, as val/rsum; what chose the epochs by default.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the board's row; the rows' names by default.")] = None,
    experiment: Annotated[str | None, typer.Option(help="Whose board; the first run's by default.")] = None,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
    device: Device = "auto",
    plugin: Plugins = None,
    trust: Trust = False,
    cache: Annotated[bool, typer.Option(help="Keep frozen features on disk.")] = True,
) -> None:
    """Rank by a weighted sum of finished runs' scores, and put it on the board; rows are combined seed by seed."""
    from vsebench.cli.combine import CombineOptions, run_combine

    run_combine(
        CombineOptions(
            said=run,
            weights=weights,
            normalize=normalize,
            select=select,
            name=name,
            experiment=experiment,
            runs=runs,
            board=board,
            device=device,
            plugins=tuple(plugin or ()),
            trust=trust,
            cache=cache,
        )
    )


def measure(
    experiment: Annotated[Path, typer.Argument(help="An experiment file with a block 'measure'.")],
    override: Overrides = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Runs at a time; one per core by default.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each worker.")] = 1,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
    device: Device = "auto",
) -> None:
    """Measure what the finished runs on a board lack of what the experiment asks for, and write the board."""
    from vsebench.cli.measure import MeasureOptions, run_measure

    run_measure(MeasureOptions(experiment, tuple(override or ()), runs, board, workers, threads, device))
