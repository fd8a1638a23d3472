"""``vsebench data`` and ``vsebench cache``. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(help="Build, show and check datasets.", no_args_is_help=True)
cache_app = typer.Typer(help="See and bound what is kept of frozen encoders.", no_args_is_help=True)


@cache_app.command("list")
def cache_list() -> None:
    """Print the features of frozen encoders that are kept: what of, how large, when last used."""
    from vsebench.cli.cache import show

    show()


@cache_app.command("prune")
def cache_prune(
    max_size: Annotated[str, typer.Option(help="What may stay, such as 20GB; 0 removes all.")],
) -> None:
    """Remove the features that were not used for longest, until the rest fits."""
    from vsebench.cli.cache import make_room

    make_room(max_size)


@data_app.command("build", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def data_build(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the dataset; a builder of that name is used if there is one.")],
    source: Annotated[Path | None, typer.Option("--from", help="Folder of the source files.")] = None,
    builder: Annotated[str | None, typer.Option(help="The builder; 'folder' by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write; by default in vsebench's own folder.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a dataset of that name.")] = False,
) -> None:
    """Build a dataset. Further options are the builder's: 'vsebench components dataset folder' lists them."""
    from vsebench.cli.data import build

    build(name, source, builder, out, force, context.args)


@data_app.command("show")
def data_show(
    name: Annotated[str, typer.Argument(help="Name or .h5 file.")],
    sheet: Annotated[Path | None, typer.Option(help="PNG of examples; NAME.png by default.")] = None,
    split: Annotated[str, typer.Option(help="Split of the examples.")] = "train",
    seed: Annotated[int, typer.Option(help="Which examples.")] = 0,
) -> None:
    """Print counts, splits, labels and text lengths, and draw a contact sheet of examples."""
    from vsebench.cli.data import show

    show(name, sheet, split, seed)


@data_app.command("check")
def data_check(name: Annotated[str, typer.Argument(help="Name or .h5 file.")]) -> None:
    """Verify a dataset: fingerprint, images, texts, splits."""
    from vsebench.cli.data import check

    raise typer.Exit(check(name))


@data_app.command("export")
def data_export(
    name: Annotated[str, typer.Argument(help="Name or .h5 file.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    form: Annotated[str, typer.Option("--format", help="parquet or arrow.")] = "parquet",
    shard_size: Annotated[str, typer.Option(help="A Parquet file is closed when it is larger.")] = "500MB",
    force: Annotated[bool, typer.Option("--force", help="Replace the folder.")] = False,
) -> None:
    """Write a dataset as Parquet or Arrow, for 'datasets.load_dataset' or 'load_from_disk'."""
    from vsebench.cli.data import export

    export(name, out, form, shard_size, force)


@data_app.command("vectors")
def data_vectors(
    file: Annotated[Path, typer.Argument(help="GloVe, word2vec or FastText: .txt, .vec, .gz, .bin.")],
    dataset: Annotated[str, typer.Option("--for", help="Name or .h5 file of the dataset.")],
    min_count: Annotated[int, typer.Option(min=1, help="Leave rarer words out.")] = 1,
) -> None:
    """Read word vectors for a dataset's training words, keep them for its runs, and print the coverage."""
    from vsebench.cli.data import vectors

    vectors(file, dataset, min_count)


@data_app.command("list")
def data_list() -> None:
    """List the datasets that can be opened, and the builders."""
    from vsebench.cli.data import list_all

    list_all()
