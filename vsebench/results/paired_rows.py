"""Two rows of a board over all their seeds: the board's own test, and what it says in one line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vsebench.core.errors import DataError
from vsebench.results.original import find_on_boards
from vsebench.runs.item_scores import usable
from vsebench.runs.snapshot import SYSTEM_FORM
from vsebench.stats.compared_metrics import Measure, measures, resampled_measures
from vsebench.stats.intervals import LEVEL
from vsebench.stats.paired_tests import ALPHA, Difference
from vsebench.stats.rank_groups import compare_pair
from vsebench.stats.rows import views


@dataclass(frozen=True)
class PairedRows:
    """What the test says of two rows.

    Args:
        a, b: their names.
        measure: what they are compared by.
        difference: of the means over seeds, a - b.
        seeds: of both rows.
        rows: of their table.
        corrected: p, corrected for the rows of the table as on the board.
    """

    a: str
    b: str
    measure: Measure
    difference: Difference
    seeds: tuple[int, int]
    rows: int
    corrected: float

    @property
    def verdict(self) -> str:
        """Which row is better, or that none is shown to be, with the numbers that say so."""
        measure, d = self.measure, self.difference
        value, half = measure.scale * d.value, measure.scale * d.quantile((1 + LEVEL) / 2)
        better, other = (self.a, self.b) if measure.sign * d.value > 0 else (self.b, self.a)
        what = f"{self.a} and {self.b} are not shown to differ"
        if d.p <= ALPHA:
            what = f"{better} is better than {other}"
            if self.corrected > ALPHA:
                what += ", though not after correction for the table"
        numbers = [f"{v:+.{measure.digits}f}" for v in (value, value - half, value + half)]
        return (
            f"{what} by {measure.heading} over all seeds ({self.seeds[0]} and {self.seeds[1]}): A - B "
            f"{numbers[0]} [{numbers[1]}, {numbers[2]}] {measure.unit}, p = {d.p:.3g}; "
            f"{self.corrected:.3g} corrected for the {self.rows} rows of the table, as on the board."
        )


def compare_rows(a: str, b: str, board: Path) -> list[PairedRows]:
    """Compare two rows of one table by each number that outcomes of items are kept of.

    Args:
        a: ``experiment/row``.
        b: another row of the same table.
        board: folder of the leaderboards.

    Returns: nothing for references to runs, for rows of different tables, and for boards without the rows or outcomes.
    """
    if "/" not in a or "/" not in b:
        return []
    try:
        one, other = (find_on_boards(reference, board) for reference in (a, b))
    except DataError:
        return []  # a row of a sweep without a board; what is no row at all is said where its run is looked for
    if one is None or other is None or one.snapshot.experiment != other.snapshot.experiment:
        return []
    snapshot = one.snapshot
    item_scores = usable(snapshot, one.folder)[0] if snapshot.form == SYSTEM_FORM else None
    rows = [
        {(row.section, row.name): len(row.runs) for row in snapshot.rows if on.run_id in row.runs.values()}
        for on in (one, other)
    ]
    results: list[PairedRows] = []
    for section, first in rows[0]:
        second = next((name for part, name in rows[1] if part == section), None)
        if item_scores is None or second is None or first == second:
            continue
        of_section = views(snapshot, section)
        seeds = {row.row.name: len(row.results) for row in of_section}
        for measure in (*measures(snapshot, section), *resampled_measures(snapshot, section, item_scores)):
            result = compare_pair(snapshot, item_scores, section, measure, first, second)
            if result is not None:
                counts = (seeds[first], seeds[second])
                results.append(PairedRows(first, second, measure, result[0], counts, len(of_section), result[1]))
    return results
