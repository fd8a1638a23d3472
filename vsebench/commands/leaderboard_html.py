"""Write boards as HTML files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vsebench.errors import ConfigError, DataError, Place, did_you_mean, known_names
from vsebench.leaderboard.html_page import page
from vsebench.leaderboard.outcomes import load_for
from vsebench.leaderboard.render import RESULTS, results_file
from vsebench.leaderboard.snapshot import SYSTEM_FORM, load
from vsebench.store import write_atomically
from vsebench.terminal import say


def write_html(
    board: Path, experiments: Sequence[str], *, runs: Path, out: Path | None = None, check: bool = False
) -> None:
    """Write a page for each experiment, for all by default, beside their Markdown or to ``out``.

    Args:
        runs: folder of all experiments' runs; a row whose runs are not there says so.
        out: the file of the one experiment.

    Raises: ConfigError for options that exclude each other; DataError for an experiment without results.
    """
    if check:
        raise ConfigError("--check is of the committed pages; those of --html are not committed. Leave one out.")
    known = sorted(file.stem for file in (board / RESULTS).glob("*.json"))
    if not known:
        raise DataError("there are no results; run 'vsebench sweep' first.", place=Place(str(board / RESULTS)))
    for name in experiments:
        if name not in known:
            said = did_you_mean(name, known) + known_names(known, "There are")
            raise DataError(f"no results of '{name}'." + said, place=Place(str(board / RESULTS)))
    wanted = list(dict.fromkeys(experiments)) or known
    if out is not None and len(wanted) > 1:
        raise ConfigError(f"--out is one file, and there are {len(wanted)} boards. Name one: {', '.join(wanted)}.")
    for name in wanted:
        snapshot = load(results_file(board, name))
        outcomes = load_for(snapshot, board) if snapshot.form == SYSTEM_FORM else None
        text = page(snapshot, folder=board, runs=runs, outcomes=outcomes)
        file = out or board / f"{name}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, text)
        say(f"wrote {file} ({len(text.encode()) / 1e6:.1f} MB)")
