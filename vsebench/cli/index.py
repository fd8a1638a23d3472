"""``vsebench index``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from vsebench.cli.component_options import parse_options
from vsebench.cli.opened import open_run
from vsebench.cli.options import PASSES_ON, PLAIN, Cache, Device, Plugins, Run, RunsFolder, Trust, complete_index
from vsebench.core.errors import ConfigError, did_you_mean, known_names
from vsebench.core.plugins import load_plugins
from vsebench.core.registry import INDEXES
from vsebench.core.sizes import in_words
from vsebench.core.terminal import say

app = typer.Typer(**PLAIN)
MODALITIES = ("image", "text")


@app.command(context_settings=PASSES_ON)
def index(
    context: typer.Context,
    run: Run,
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    split: Annotated[str | None, typer.Option(help="Of the run's dataset; test by default.")] = None,
    source: Annotated[Path | None, typer.Option("--from", help="A folder of images, or of .txt files.")] = None,
    modality: Annotated[str, typer.Option(help="What is found: image or text.")] = "image",
    kind: Annotated[
        str,
        typer.Option(
            "--index", help="The index; 'vsebench components index' lists them.", autocompletion=complete_index
        ),
    ] = "flat",
    runs: RunsFolder = Path("runs"),
    device: Device = "auto",
    plugin: Plugins = None,
    trust: Trust = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out images that cannot be read.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a gallery of that name.")] = False,
    cache: Cache = True,
) -> None:
    """Embed a gallery with a finished run, for 'search' and 'serve'. Further options are passed to the index.

    Example: vsebench index mmfrb/VSE --out galleries/vse
    """
    from vsebench.engine.embed import embedding_dim
    from vsebench.retrieval.build import embed_folder, embed_split, make_collection, near_chance, refuse_modality
    from vsebench.retrieval.collection import refuse_existing

    load_plugins(plugin or ())
    if modality not in MODALITIES:
        hint = did_you_mean(modality, MODALITIES) + known_names(MODALITIES)
        raise ConfigError(f"--modality '{modality}' is unknown." + hint)
    if split is not None and source is not None:
        raise ConfigError("give either --split or --from.")
    component = INDEXES.get(kind)
    settings = component.checked(parse_options(component, context))
    refuse_existing(out, force)
    loaded = open_run(run, runs, device, plugin, trust)
    refuse_modality(loaded, modality)
    # A missing library, or an option that does not fit the vectors' size, is reported before anything is embedded.
    component.build(settings, dim=embedding_dim(loaded.model, modality))
    show = _Progress()
    if source is not None:
        embedded = embed_folder(loaded, source, modality, skip_bad=skip_bad, progress=show.update)
    else:
        embedded = embed_split(loaded, split or "test", modality, progress=show.update, cache=cache)
    show.close()
    manifest = make_collection(loaded, embedded, modality, out, index=kind, options=settings, force=force)
    size = sum(os.path.getsize(f) for f in out.rglob("*") if f.is_file())
    what = "images" if manifest.modality == "image" else "texts"
    say(f"{out}: {manifest.count:,} {what}, {manifest.dim} numbers each, {kind}, {in_words(size)}")
    warning = near_chance(loaded, modality)
    for note in [*embedded.notes, *([] if warning is None else [warning])]:
        say(f"note: {note}")
    say(f'Ask it: vsebench search {out} --text "…"   or   vsebench serve {out}')


class _Progress:
    """A bar on a terminal, nothing elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self.bar = Progress(console=Console(stderr=True), transient=True)
        self.live = self.bar.console.is_terminal
        self.task = self.bar.add_task("embedding", total=None)
        if self.live:
            self.bar.start()

    def update(self, done: int, total: int) -> None:
        """Show how far it is."""
        self.bar.update(self.task, completed=done, total=total)

    def close(self) -> None:
        """Take it away."""
        if self.live:
            self.bar.stop()
