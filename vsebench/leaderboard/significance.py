"""What a board says of its rows on other test items: cells, sentences below a table, lines of the protocol."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.page import Cell, code
from vsebench.runs.item_scores import ITEMS
from vsebench.stats.bootstrap import RESAMPLES
from vsebench.stats.compared_metrics import measures
from vsebench.stats.paired_tests import ALPHA
from vsebench.stats.rank_groups import Comparison, RankedRow
from vsebench.stats.rows import SECTIONS, RowView

Comparisons = Mapping[tuple[str, str], Comparison]


def interval_cell(comparison: Comparison | None, row: RowView) -> Cell | None:
    """Return a row's interval over items, with its mean to sort by."""
    result = None if comparison is None else comparison.ranked_rows.get(row.row.name)
    if comparison is None or result is None:
        return None
    measure = comparison.measure
    mean, low, high = (measure.scale * v for v in (result.value, result.interval.low, result.interval.high))
    digits = measure.digits
    interval = f"[{low:.{digits}f}, {high:.{digits}f}]"
    text = f"{mean:.{digits}f} {interval}" if measure.mean_of_columns else interval
    return Cell(text, result.value, (result.interval.low, result.interval.high))


def standing(comparison: Comparison) -> str:
    """Return what the numbers of a comparison's rows are called in a data frame."""
    return f"standing.{comparison.measure.name}"


def group_cell(comparison: Comparison | None, row: RowView) -> Cell | None:
    """Return a row's rank group, or its status where no group is decided."""
    result = None if comparison is None else comparison.ranked_rows.get(row.row.name)
    return None if result is None else Cell(str(result.group or result.status), place(result))


def place(row: RankedRow) -> float:
    """Return a row's group as a number, undecided rows between the first and the second."""
    return 1.5 if row.group is None else float(row.group)


def resolvable(comparison: Comparison) -> str:
    """Return the difference that can be resolved, with its unit; empty where there is none, or all rows agree."""
    measure = comparison.measure
    value = f"{measure.scale * (comparison.resolvable or 0.0):.{measure.digits}f}"
    return f"{value} {measure.unit}" if float(value) else ""


def interval_title(comparison: Comparison) -> str:
    """Return the column title of the intervals."""
    return f"{comparison.measure.heading}, 95 % over items" if comparison.measure.depths else "95 % over items"


def below_table(comparison: Comparison) -> list[str]:
    """Return what its groups mean and what it cannot tell apart."""
    measure, rows = comparison.measure, comparison.ranked_rows
    if len(rows) < 2:
        return []
    by = f"by {measure.title}" if measure.depths else f"by test {measure.title}"
    message = f"Group 1: {comparison.leader}, best on validation, and every row not significantly worse {by}."
    if unresolved := resolvable(comparison):
        message += f" Differences below {unresolved} are not resolvable here."
    if undecided := [name for name, s in rows.items() if s.status == "undecided"]:
        message += f" Undecided, worse only without correction for the table: {', '.join(undecided)}."
    different = {name: s for name, s in rows.items() if s.p is not None and s.p <= ALPHA}
    better = [name for name, s in different.items() if measure.sign * s.difference > 0]
    if better:
        message += f" Significantly better on test, though not on validation: {', '.join(better)}."
    if comparison.seeds == 1:
        message += " Rows of one seed are compared as trained models, without the variance over seeds."
    return [message]


def unavailable(board: BoardData) -> list[str]:
    """Explain why intervals over items and groups are missing, or missing for some rows."""
    snapshot, rows = board.snapshot, [(row.row.section, row) for row in board.rows]
    what = "Intervals over items, paired tests and rank groups are not available"
    if not rows:
        return []
    if board.item_scores is None:
        made = code(f"vsebench outcomes {snapshot.experiment}")
        if board.unusable:
            file = code(f"{ITEMS}/{snapshot.experiment}.npz")
            message = f"{file} cannot be used ({board.unusable}); {made} rebuilds it from the runs' folders"
            return [f"{what}: {message}."]
        return [f"{what}: no per-item results were collected; {made} collects them from the runs' folders."]
    if not board.comparisons and not any(measures(snapshot, section) for section in SECTIONS):
        return [f"{what}: no per-item results are stored for these metrics."]
    missing = [row for section, row in rows if _lacking(section, row, board.comparisons)]
    if not missing:
        return []
    names = ", ".join(row.row.name for row in missing[:5]) + (" …" if len(missing) > 5 else "")
    return [f"{what} for {len(missing)} rows, whose per-item results are missing here: {names}."]


def _lacking(section: str, row: RowView, comparisons: Comparisons) -> bool:
    """Return whether a row has no outcomes of a measure that it has a number of."""
    of_section = [c for (part, _), c in comparisons.items() if part == section]
    if not of_section:
        return True
    return any(c.measure.value(row, "test") is not None and row.row.name not in c.ranked_rows for c in of_section)


def protocol_lines(board: BoardData) -> list[str]:
    """Return the protocol's lines on intervals and groups."""
    snapshot, comparisons = board.snapshot, board.comparisons
    if not comparisons:
        return []
    some = next(iter(comparisons.values()))
    items = int(snapshot.dataset["splits"].get("test", some.clusters))
    unit = f"{some.clusters:,} test items" if some.clusters == items else f"{some.clusters:,} clusters of test items"
    drawn = "" if some.clusters == items else " (views of one thing stay together)"
    lines = [
        f"95 % over items: percentile bootstrap, {RESAMPLES:,} resamples of the {unit}{drawn}, captions with their "
        "image, of the mean over seeds; Wilson's interval where almost all items are right or wrong. This interval is "
        "over test items; ± is over seeds.",
        f"Group: {_tests(comparisons.values())} on the same items, corrected for the rows of a table and for the "
        f"choice of the first on validation, {100 * ALPHA:.0f} %. A row is in the first group whose leader (best on "
        "validation) is not significantly better. Rows whose seeds disagree are hard to distinguish from others. "
        "Resolvable: detected with 80 % power (median over the rows nearest to the first).",
    ]
    return lines


def _tests(comparisons: Collection[Comparison]) -> str:
    single = {c.seeds == 1 for c in comparisons}
    return "paired bootstrap and t-test with the variance over seeds" if False in single else "paired tests"
