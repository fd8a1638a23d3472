"""Print boards' tables of rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vsebench.core.errors import ConfigError, did_you_mean, known_names
from vsebench.core.files import make_folder, write_atomically
from vsebench.core.terminal import say
from vsebench.leaderboard.page import Page, Table
from vsebench.leaderboard.pages import board_page
from vsebench.leaderboard.render import board_of, snapshots_of
from vsebench.leaderboard.renderers import text
from vsebench.results.export import check_format, write

Form = Literal["terminal", "latex", "csv", "parquet"]


def print_tables(
    board: Path, experiments: Sequence[str], form: Form, out: Path | None = None, section: str | None = None
) -> None:
    """Print the tables of some boards, of all by default, or write them to a file.

    Args:
        board: the leaderboard folder.
        experiments: names of boards; all where there are none.
        form: aligned text, a LaTeX ``tabular``, every column as CSV, or all rows as one Parquet file.
        out: the file; needed for Parquet.
        section: title of a page's section, in any case, whose tables they are; without it the tables of rows.

    Raises: ConfigError for Parquet without a file that ends with ``.parquet``, or without pyarrow, and for a section
        that no board has; DataError for an experiment without results.
    """
    if form == "parquet":
        if out is None or out.suffix != ".parquet":
            raise ConfigError("--show parquet is no text: name its file with --out FILE.parquet.")
        check_format(out)
    pages = [board_page(board_of(snapshot, board)) for snapshot in snapshots_of(board, experiments)]
    tables = [table for page in pages for table in (page.tables() if section is None else _of(page, section))]
    if section is not None and not tables:
        titles = list(dict.fromkeys(title for page in pages for title in page.sections()))
        raise ConfigError(f"--section: no table of '{section}'." + did_you_mean(section, titles) + known_names(titles))
    if form == "parquet" and out is not None:
        write(text.frame(tables), out)
    else:
        render = {"terminal": text.terminal, "latex": text.latex, "csv": text.table_csv}[form]
        texts = [render(table) for table in tables]
        if out is None:
            for one in texts:
                say(one, lines=True)
            return
        make_folder(out.parent)
        write_atomically(out, "\n".join(texts))
    say(f"wrote {out}")


def _of(page: Page, section: str) -> list[Table]:
    sections = {title.casefold(): tables for title, tables in page.sections().items()}
    return sections.get(section.casefold(), [])
