"""See and bound the stored features of frozen encoders."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from vsebench.cli.options import PLAIN
from vsebench.core.sizes import in_bytes, in_words
from vsebench.core.terminal import on_one_line, say

app = typer.Typer(help=__doc__, no_args_is_help=True, **PLAIN)


@app.command("list")
def list_() -> None:
    """Print the stored features of frozen encoders: of what, how large, when last used.

    Example: vsebench cache list
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from vsebench.engine.feature_cache import entries

    stored = entries()
    table = Table(title="features of frozen encoders", title_justify="left")
    for column in ("key", "encoder", "dataset", "split"):
        table.add_column(column)
    for column in ("tokens", "dim", "size", "last used"):
        table.add_column(column, justify="right")
    for entry in stored:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used_at))
        table.add_row(
            *(Text(on_one_line(t)) for t in (entry.key[:8], entry.encoder, entry.dataset, entry.split)),
            f"{entry.tokens:,}",
            str(entry.dim),
            in_words(entry.size),
            used,
        )
    if stored:
        Console().print(table)
    say(f"{len(stored)} entries, {in_words(sum(e.size for e in stored))}")


@app.command()
def prune(max_size: Annotated[str, typer.Option(help="What may stay, such as 20GB; 0 removes all.")]) -> None:
    """Remove the features that were not used for longest, until the rest fits; what a run is using stays.

    Example: vsebench cache prune --max-size 20GB
    """
    from vsebench.engine.feature_cache import prune as remove

    removed, left = remove(in_bytes(max_size))
    freed = in_words(sum(e.size for e in removed))
    say(f"removed {len(removed)} entries ({freed}); {len(left)} left ({in_words(sum(e.size for e in left))})")
