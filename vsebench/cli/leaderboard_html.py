"""Write boards as HTML files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vsebench.core.errors import ConfigError, UntrustedPlugin, VsebenchError
from vsebench.core.files import write_atomically
from vsebench.core.plugins import load_plugins
from vsebench.core.terminal import say
from vsebench.leaderboard.examples import COUNT, SPLIT, Results
from vsebench.leaderboard.folder_index import folder_page
from vsebench.leaderboard.render import board_of, snapshots_of
from vsebench.leaderboard.renderers.html import index_page, page
from vsebench.runs.snapshot import board_names, load_board

if TYPE_CHECKING:
    from vsebench.inspect.examples import Found

#: Results of each query, the first right one besides.
FIRST = 3


def write_html(
    board: Path,
    experiments: Sequence[str],
    *,
    runs: Path,
    out: Path | None = None,
    check: bool = False,
    count: int = 0,
    plugins: Sequence[Path] = (),
    trust: bool = False,
) -> None:
    """Write a page for each experiment, for all by default, beside their Markdown or to ``out``.

    Args:
        board: the leaderboard folder.
        experiments: names of boards; all where there are none.
        runs: folder of all experiments' runs; a row whose runs are not there says so.
        out: the file of the one experiment.
        check: compare with the pages that are there, and write none.
        count: rows of each table whose models are loaded, to show what the example queries find.
        plugins: to import first.
        trust: import those that runs name, too.

    Raises: ConfigError for options that exclude each other; DataError for an experiment without results.
    """
    if check:
        raise ConfigError("--check is of the committed pages; those of --html are not committed. Leave one out.")
    wanted = board_names(board, experiments)
    if out is not None and len(wanted) > 1:
        raise ConfigError(f"--out is one file, and there are {len(wanted)} boards. Name one: {', '.join(wanted)}.")
    load_plugins(plugins)
    for name in wanted:
        content = board_of(load_board(board, name), board)
        text = page(content, folder=board, runs=runs, finder=partial(found_by, trust=trust), count=count)
        file = out or board / f"{name}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, text)
        say(f"wrote {file} ({len(text.encode()) / 1e6:.1f} MB)")
    if out is None and not experiments:
        file = board / "index.html"
        write_atomically(file, index_page(folder_page(snapshots_of(board), form="html"), board))
        say(f"wrote {file}")


def found_by(folder: Path, *, trust: bool = False) -> Results | str:
    """Return the results of a run's model for the page's queries, or the reason why there are none."""
    from vsebench.inspect.examples import make_examples
    from vsebench.runs.load import load_run

    try:
        gallery, dataset = make_examples(load_run(folder, trust=trust), SPLIT, queries=COUNT, k=FIRST)
    except VsebenchError as error:
        if isinstance(error, UntrustedPlugin):
            say(f"what its model finds is not shown: {error}", error=True)
        return str(error)
    numbers = {
        (thing.position, text): number
        for kinds in gallery.queries.values()
        for queries in kinds.values()
        for query in queries
        for thing in (hit.thing for hit in query.results)
        for number, text in enumerate(dataset.texts(thing.position))
    }
    dataset.close()

    def plain(one: Found) -> tuple[int, int, int, bool]:
        position = one.thing.position
        return position, numbers.get((position, one.thing.text), 0), one.rank, one.right

    return {
        direction: {
            kind: [[plain(one) for one in query.results] for query in queries] for kind, queries in kinds.items()
        }
        for direction, kinds in gallery.queries.items()
    }
