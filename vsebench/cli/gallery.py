"""``vsebench gallery``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vsebench.cli.opened import open_run
from vsebench.cli.options import Cache, Device, Plugins, Run, RunsFolder, Trust
from vsebench.core.errors import QueryError
from vsebench.core.sizes import in_words
from vsebench.core.terminal import say

#: A page holds every picture several times; beyond this it is no longer one to look at.
MOST_QUERIES, MOST_RESULTS = 200, 50


def gallery(
    run: Run,
    split: Annotated[str, typer.Option(help="That the run was evaluated on: test or val.")] = "test",
    queries: Annotated[int, typer.Option(help="Of each kind (best, worst, random), in each direction.")] = 12,
    k: Annotated[int, typer.Option("-k", help="Number of results of each query.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Which random ones, and which of equally good ones.")] = 0,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("gallery.html"),
    runs: RunsFolder = Path("runs"),
    device: Device = "auto",
    plugin: Plugins = None,
    trust: Trust = False,
    cache: Cache = True,
) -> None:
    """Write a page of a run's best, worst and random queries with their results, or of items with their classes.

    Example: vsebench gallery mmfrb/VSE --out vse.html
    """
    for name, value, most in (("--queries", queries, MOST_QUERIES), ("-k", k, MOST_RESULTS)):
        if not 1 <= value <= most:
            raise QueryError(f"{name} must be from 1 to {most}. Got {value}.")
    from vsebench.core.files import write_atomically
    from vsebench.inspect.examples import make_examples
    from vsebench.inspect.examples_page import page

    loaded = open_run(run, runs, device, plugin, trust)
    made, dataset = make_examples(loaded, split, queries=queries, k=k, seed=seed, cache=cache)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, page(made, dataset))
    for note in made.notes:
        say(f"note: {note}")
    say(f"wrote {out}, {in_words(out.stat().st_size)}")
