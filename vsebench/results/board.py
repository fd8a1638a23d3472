"""A board as an object: the results of one experiment, as a table for pandas and as their pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vsebench.core.types import Result
from vsebench.results.export import table_of
from vsebench.runs import snapshot as snapshots
from vsebench.runs.item_scores import usable
from vsebench.runs.snapshot import SYSTEM_FORM, Snapshot

if TYPE_CHECKING:
    import pandas as pd

#: Columns that say which row a line is of.
ROW = ["experiment", "section", "row"]


@dataclass(frozen=True)
class Board:
    """The results of one experiment, as a leaderboard folder has them.

    Args:
        name: of the experiment.
        folder: the leaderboard folder.
        snapshot: what the pages are made from.
    """

    name: str
    folder: Path
    snapshot: Snapshot = field(repr=False)

    def __repr__(self) -> str:
        runs = sum(result.status == "finished" for result in self.snapshot.results.values())
        return f"Board({self.name!r}, {len(self.rows)} rows, {runs} finished runs)"

    @property
    def rows(self) -> list[str]:
        """Names of the rows, in the order of the experiment file."""
        return [row.name for row in self.snapshot.rows]

    @property
    def page(self) -> Path:
        """The Markdown page."""
        return self.folder / f"{self.name}.md"

    @property
    def failed(self) -> list[Result]:
        """Results of the runs that failed."""
        return [result for result in self.snapshot.results.values() if result.status == "failed"]

    def to_dataframe(self, by: Literal["run", "row"] = "run") -> pd.DataFrame:
        """Return the finished runs as a table, with the columns of ``vsebench leaderboard --export FILE``.

        ``row`` and ``seed`` say which run it is, ``run_id`` loads it (:func:`load_run`), ``test/…`` and ``val/…`` are
        metrics, ``standing.<metric>.low`` and ``.high`` the interval of the row, ``.group`` its rank group.

        Args:
            by: ``run`` for a line per run, ``row`` for one per row: numbers that differ between its seeds are then
                means, and texts that differ are left out.

        Returns: a table in the order of the experiment file.

        Raises: DataError when two facts of a run would share a column.
        """
        import pandas as pd

        scores = usable(self.snapshot, self.folder)[0] if self.snapshot.form == SYSTEM_FORM else None
        table = table_of([(self.snapshot, scores)])
        if by == "run" or table.empty:
            return table
        groups = table.groupby(ROW, sort=False, dropna=False)
        constant = groups.nunique(dropna=False).le(1).all()
        numbers = set(table.select_dtypes("number"))
        remaining = [
            name for name in constant.index if name not in ("seed", "run_id") and (constant[name] or name in numbers)
        ]
        rows = groups.agg({name: "first" if constant[name] else "mean" for name in remaining})
        # Not reset_index, which inserts column by column: pandas warns of that where a table has hundreds.
        return pd.concat([rows.index.to_frame(index=False), rows.reset_index(drop=True)], axis=1)


def load_board(name: str, folder: Path | str = "leaderboard") -> Board:
    """Read the results of an experiment from a leaderboard folder.

    Args:
        name: of the experiment.
        folder: that ``vsebench sweep`` and :func:`sweep` write.

    Returns: the board.

    Raises: DataError when there are no results of that name, with the nearest one, or they are damaged.
    """
    place = Path(folder)
    snapshots.board_names(place, [name])
    return Board(name, place, snapshots.load_board(place, name))
