"""``vsebench index``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vsebench.cli.data import parse_options
from vsebench.core.errors import ConfigError, did_you_mean, known_names
from vsebench.core.plugins import load_plugins
from vsebench.core.registry import INDEXES
from vsebench.core.sizes import in_words
from vsebench.core.terminal import say
from vsebench.engine.embed import embedding_dim
from vsebench.retrieval.build import embed_folder, embed_split, make_gallery, refuse_modality
from vsebench.retrieval.collection import refuse_existing
from vsebench.runs.load import find_run, load_run
from vsebench.sweeps.worker import choose_device

MODALITIES = ("image", "text")


@dataclass(frozen=True)
class IndexOptions:
    """The command's arguments."""

    run: str
    out: Path
    split: str | None
    source: Path | None
    modality: str
    index: str
    arguments: Sequence[str]
    runs: Path
    device: str
    plugins: Sequence[Path]
    trust: bool
    skip_bad: bool
    force: bool
    cache: bool


def make(options: IndexOptions) -> None:
    """Embed and write. Everything that can be wrong with the arguments is found before anything is embedded.

    Raises: VsebenchError.
    """
    load_plugins(options.plugins)
    if options.modality not in MODALITIES:
        said = did_you_mean(options.modality, MODALITIES) + known_names(MODALITIES)
        raise ConfigError(f"--modality '{options.modality}' is unknown." + said)
    if options.split is not None and options.source is not None:
        raise ConfigError("give either --split or --from.")
    component = INDEXES.get(options.index)
    settings = component.validate(parse_options(component, options.arguments))
    refuse_existing(options.out, options.force)
    device = choose_device(options.device, 0)
    run = load_run(find_run(options.run, options.runs), device=device, trust=options.trust)
    refuse_modality(run, options.modality)
    # A missing library, or an option that does not fit the vectors' size, is told now.
    component.build(settings, dim=embedding_dim(run.model, options.modality))
    say(f"{run.experiment}, {run.row}, seed {run.seed} (run {run.run_id})")
    show = _Progress()
    if options.source is not None:
        embedded = embed_folder(run, options.source, options.modality, skip_bad=options.skip_bad, progress=show.update)
    else:
        split = options.split or "test"
        embedded = embed_split(run, split, options.modality, progress=show.update, cache=options.cache)
    show.close()
    manifest = make_gallery(
        run,
        embedded,
        options.modality,
        options.out,
        index=options.index,
        options=settings,
        force=options.force,
    )
    size = sum(os.path.getsize(f) for f in options.out.rglob("*") if f.is_file())
    what = "images" if manifest.modality == "image" else "texts"
    say(f"{options.out}: {manifest.count:,} {what}, {manifest.dim} numbers each, {options.index}, {in_words(size)}")
    for note in embedded.notes:
        say(f"note: {note}")
    say(f'Ask it: vsebench search {options.out} --text "…"   or   vsebench serve {options.out}')


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
