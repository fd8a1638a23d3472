"""Write boards as one table for pandas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vsebench.core.errors import ConfigError
from vsebench.core.terminal import say
from vsebench.leaderboard.render import snapshots_of
from vsebench.results.export import check_format, table_of, write
from vsebench.runs.item_scores import usable
from vsebench.runs.snapshot import SYSTEM_FORM


def write_export(board: Path, experiments: Sequence[str], file: Path, *, others: Sequence[str] = ()) -> None:
    """Write the finished runs of some experiments, of all by default, to a file.

    Args:
        board: the leaderboard folder.
        experiments: names of boards; all where there are none.
        file: that is written; its suffix (``.csv``, ``.parquet``) is its form.
        others: options of the command that were given beside ``--export``.

    Raises: ConfigError for options that exclude it, another ending or Parquet without pyarrow; DataError for an
        experiment without results.
    """
    if others:
        raise ConfigError(f"--export and {' and '.join(others)} exclude each other; give them one by one.")
    check_format(file)
    snapshots = snapshots_of(board, experiments)
    table = table_of([(s, usable(s, board)[0] if s.form == SYSTEM_FORM else None) for s in snapshots])
    write(table, file)
    of = f"{len(snapshots)} {'board' if len(snapshots) == 1 else 'boards'}"
    say(f"wrote {file}: {len(table):,} runs of {of}, {len(table.columns)} columns")
