"""What a board says of its rows on other test items: cells, sentences below a table, lines of the protocol."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from vsebench.leaderboard.table import code, escape
from vsebench.runs.item_scores import ITEMS, ItemScores
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.bootstrap import RESAMPLES
from vsebench.stats.compared_metrics import measures
from vsebench.stats.paired_tests import ALPHA
from vsebench.stats.rank_groups import Comparison
from vsebench.stats.rows import SECTIONS, RowView, views

Comparisons = Mapping[tuple[str, str], Comparison]


def interval_cell(comparison: Comparison, row: RowView) -> tuple[float, str] | None:
    """Return a row's interval over items, with its mean to sort by."""
    result = comparison.ranked_rows.get(row.row.name)
    if result is None:
        return None
    measure = comparison.measure
    mean, low, high = (measure.scale * v for v in (result.value, result.interval.low, result.interval.high))
    digits = measure.digits
    interval = f"[{low:.{digits}f}, {high:.{digits}f}]"
    return result.value, f"{mean:.{digits}f} {interval}" if measure.mean_of_columns else interval


def group_cell(comparison: Comparison, row: RowView) -> tuple[float, str] | None:
    """Return a row's rank group, or its status where no group is decided."""
    result = comparison.ranked_rows.get(row.row.name)
    if result is None:
        return None
    return (float("inf"), result.status) if result.group is None else (result.group, str(result.group))


def interval_title(comparison: Comparison) -> str:
    """Return the column title of the intervals."""
    measure = comparison.measure
    return f"{escape(measure.heading)}, 95 % over items" if measure.depths else "95 % over items"


def below_table(comparison: Comparison) -> list[str]:
    """Lines below a table: what its groups mean and what it cannot tell apart."""
    measure, rows = comparison.measure, comparison.ranked_rows
    if len(rows) < 2:
        return []
    by = f"by {measure.title}" if measure.depths else f"by test {measure.title}"
    message = f"Group 1: {escape(comparison.leader)}, best on validation, and every row not significantly worse {by}."
    if comparison.resolvable is not None:
        size = f"{measure.scale * comparison.resolvable:.{measure.digits}f} {measure.unit}"
        message += f" Differences below {size} are not resolvable here."
    different = {name: s for name, s in rows.items() if s.p is not None and s.p <= ALPHA}
    better = [escape(name) for name, s in different.items() if measure.sign * s.difference > 0]
    if better:
        message += f" Significantly better on test, though not on validation: {', '.join(better)}."
    if comparison.seeds == 1:
        message += " Rows of one seed are compared as trained models, without the variance over seeds."
    return ["", message]


def unavailable(
    snapshot: Snapshot, item_scores: ItemScores | None, comparisons: Comparisons, unusable: str = ""
) -> list[str]:
    """Explain why intervals over items and groups are missing, or missing for some rows."""
    rows = [(section, row) for section in SECTIONS for row in views(snapshot, section)]
    if not rows:
        return []
    what = "Intervals over items, paired tests and rank groups are not available"
    if item_scores is None:
        made = code(f"vsebench outcomes {snapshot.experiment}")
        if unusable:
            file = code(f"{ITEMS}/{snapshot.experiment}.npz")
            message = f"{file} cannot be used ({escape(unusable)}); {made} rebuilds it from the runs' folders"
            return [f"{what}: {message}.", ""]
        return [f"{what}: no per-item results were collected; {made} collects them from the runs' folders.", ""]
    if not comparisons and not any(measures(snapshot, section) for section in SECTIONS):
        return [f"{what}: no per-item results are stored for these metrics.", ""]
    missing = [row for section, row in rows if _lacking(section, row, comparisons)]
    if not missing:
        return []
    names = ", ".join(escape(row.row.name) for row in missing[:5]) + (" …" if len(missing) > 5 else "")
    return [f"{what} for {len(missing)} rows, whose per-item results are missing here: {names}.", ""]


def _lacking(section: str, row: RowView, comparisons: Comparisons) -> bool:
    """Whether a row has no outcomes of a measure that it has a number of."""
    of_section = [c for (part, _), c in comparisons.items() if part == section]
    if not of_section:
        return True
    return any(c.measure.value(row, "test") is not None and row.row.name not in c.ranked_rows for c in of_section)


def protocol_lines(snapshot: Snapshot, comparisons: Comparisons) -> list[str]:
    """Return the protocol's lines on intervals and groups."""
    if not comparisons:
        return []
    some = next(iter(comparisons.values()))
    items = int(snapshot.dataset["splits"].get("test", some.clusters))
    unit = f"{some.clusters:,} test items" if some.clusters == items else f"{some.clusters:,} clusters of test items"
    drawn = "" if some.clusters == items else " (views of one thing stay together)"
    lines = [
        f"- 95 % over items: percentile bootstrap, {RESAMPLES:,} resamples of the {unit}{drawn}, captions with their "
        "image, of the mean over seeds; Wilson's interval where almost all items are right or wrong. This interval is "
        "over test items; ± is over seeds.",
        f"- Group: {_tests(comparisons.values())} on the same items, corrected for the rows of a table and for the "
        f"choice of the first on validation, {100 * ALPHA:.0f} %. A row is in the first group whose leader (best on "
        "validation) is not significantly better. Rows whose seeds disagree are hard to distinguish from others. "
        "Resolvable: detected with 80 % power (median over the rows nearest to the first).",
    ]
    return lines


def _tests(comparisons: Collection[Comparison]) -> str:
    single = {c.seeds == 1 for c in comparisons}
    return "paired bootstrap and t-test with the variance over seeds" if False in single else "paired tests"
