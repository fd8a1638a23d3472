"""``vsebench gallery``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vsebench.core.errors import QueryError
from vsebench.core.plugins import load_plugins
from vsebench.core.sizes import in_words
from vsebench.core.terminal import say
from vsebench.inspect.examples import make_gallery
from vsebench.inspect.examples_page import page
from vsebench.runs.load import find_run, load_run
from vsebench.runs.store import write_atomically
from vsebench.sweeps.worker import choose_device

#: A page holds every picture several times; beyond this it is no longer one to look at.
MOST_QUERIES, MOST_RESULTS = 200, 50


@dataclass(frozen=True)
class GalleryOptions:
    """The command's arguments."""

    run: str
    split: str
    queries: int
    k: int
    seed: int
    out: Path
    runs: Path
    device: str
    plugins: Sequence[Path]
    trust: bool
    cache: bool


def write_page(options: GalleryOptions) -> None:
    """Choose, find and write.

    Raises: VsebenchError.
    """
    for name, value, most in (("--queries", options.queries, MOST_QUERIES), ("-k", options.k, MOST_RESULTS)):
        if not 1 <= value <= most:
            raise QueryError(f"{name} must be from 1 to {most}. Got {value}.")
    load_plugins(options.plugins)
    device = choose_device(options.device, 0)
    run = load_run(find_run(options.run, options.runs), device=device, trust=options.trust)
    say(f"{run.experiment}, {run.row}, seed {run.seed} (run {run.run_id})")
    gallery, dataset = make_gallery(
        run, options.split, queries=options.queries, k=options.k, seed=options.seed, cache=options.cache
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(options.out, page(gallery, dataset))
    for note in gallery.notes:
        say(f"note: {note}")
    say(f"wrote {options.out}, {in_words(options.out.stat().st_size)}")
