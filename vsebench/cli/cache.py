"""``vsebench cache …``: what is kept of frozen encoders, and making room."""

from __future__ import annotations

import time

from vsebench.core.sizes import in_bytes, in_words
from vsebench.core.terminal import on_one_line, say
from vsebench.engine.feature_cache import entries, prune


def show() -> None:
    """Print what is kept, the last used first."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    found = entries()
    table = Table(title="features of frozen encoders", title_justify="left")
    for column in ("key", "encoder", "dataset", "split"):
        table.add_column(column)
    for column in ("tokens", "dim", "size", "last used"):
        table.add_column(column, justify="right")
    for entry in found:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used_at))
        table.add_row(
            *(Text(on_one_line(t)) for t in (entry.key[:8], entry.encoder, entry.dataset, entry.split)),
            f"{entry.tokens:,}",
            str(entry.dim),
            in_words(entry.size),
            used,
        )
    if found:
        Console().print(table)
    say(f"{len(found)} entries, {in_words(sum(e.size for e in found))}")


def make_room(max_size: str) -> None:
    """Remove what was not used for longest until the rest fits; what a run is using stays.

    Raises: ConfigError for a size that is none.
    """
    removed, kept = prune(in_bytes(max_size))
    freed = in_words(sum(e.size for e in removed))
    say(f"removed {len(removed)} entries ({freed}); {len(kept)} left ({in_words(sum(e.size for e in kept))})")
