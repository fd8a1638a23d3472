"""A board as its page needs it: the results, what is known of single test items, and how rows compare on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from vsebench.core.display import Shown, shown
from vsebench.runs.item_scores import ItemScores
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.compared_metrics import RSUM, Resamples, Sums, measures, resamples_of, sums
from vsebench.stats.intervals import LEVEL, estimate
from vsebench.stats.paired_tests import difference
from vsebench.stats.rank_groups import Comparison, Comparisons, scored
from vsebench.stats.rows import SECTIONS, RowView, sort_key, views


@dataclass(frozen=True)
class BoardData:
    """A board.

    Args:
        snapshot: its content.
        item_scores: of single test items, for intervals over items and rank groups.
        unusable: why there are none, where they were collected and cannot be used.
        repeats: experiments with the same rows on other data, of those that the board names and the folder has.
    """

    snapshot: Snapshot
    item_scores: ItemScores | None = None
    unusable: str = ""
    repeats: Mapping[str, BoardData] = field(default_factory=dict)

    @cached_property
    def comparisons(self) -> Mapping[tuple[str, str], Comparison]:
        """Rows of each table compared on the same items: (section, measure's name) -> comparison."""
        return {} if self.item_scores is None else Comparisons(self.snapshot, self.item_scores)

    @cached_property
    def rows(self) -> list[RowView]:
        """Rows of all tables, best on validation first within each."""
        return [row for section in SECTIONS for row in views(self.snapshot, section)]

    @cached_property
    def ranked(self) -> list[RowView]:
        """Rows of all tables, best on validation first."""
        key, mode = sort_key(self.snapshot)
        sign = -1.0 if mode == "max" else 1.0

        def order(row: RowView) -> float:
            estimate = row.estimate(key)
            return float("inf") if estimate is None else sign * estimate.mean

        return sorted(self.rows, key=order)

    def title(self, section: str) -> str:
        """Return what a table of rows is called."""
        return "Search" if section == "sweep" and "method" in self.snapshot.search else SECTIONS[section]

    def compared(self, section: str, *, ranked: bool = False) -> Comparison | None:
        """Return the comparison of a table's rows by what they answer (VQA's score before accuracy), or rank."""
        of_section = [m for m in measures(self.snapshot, section) if bool(m.depths) == ranked]
        return self.comparisons.get((section, of_section[0].name)) if of_section else None

    def score(self, section: str) -> Shown:
        """Return the number that ranks a table: what its rows are compared by, else what the board is about."""
        metric, comparison = primary_metric(self.snapshot), self.compared(section)
        if comparison is not None and metric.family == "classification":
            return shown(f"test/{comparison.measure.name}")
        return metric

    def comparison(self, section: str) -> Comparison | None:
        """Return the comparison by the very number that ranks a table; None where there is none of it."""
        name = self.score(section).key.removeprefix("test/")
        comparison = self.comparisons.get((section, "recall" if name == RSUM else name))
        return None if comparison is None or comparison.measure.mean_of_columns else comparison

    def leading(self, section: str) -> set[str]:
        """Return the names of the rows of the leading group; none where rows are not compared."""
        comparison = self.comparison(section)
        rows = {} if comparison is None or len(comparison.ranked_rows) < 2 else comparison.ranked_rows
        return {name for name, row in rows.items() if row.status == "leading"}

    @cached_property
    def sections(self) -> list[str]:
        """Tables that have rows, the one with the best row on validation first."""
        return list(dict.fromkeys(row.row.section for row in self.ranked))

    @cached_property
    def base(self) -> RowView | None:
        """The row of one modality that is best on validation, where others have several."""
        single = [row for row in self.ranked if " + " not in row.modalities]
        several = len(single) < len(self.ranked)
        return single[0] if single and several and primary_metric(self.snapshot).family == "classification" else None

    @cached_property
    def over_base(self) -> dict[tuple[str, str], tuple[float, float | None]]:
        """(section, row) -> its difference to :attr:`base`, and half the width of its 95 % interval: over items and
        seeds, or over the seeds that both have.
        """
        base = self.base
        if base is None:
            return {}
        score, others = self.score(base.row.section), [row for row in self.rows if row is not base]
        comparison = self.comparison(base.row.section)
        known: Sums | Resamples | None = None
        if comparison is not None and self.item_scores is not None:
            gather = resamples_of if comparison.measure.resampled else sums
            known = gather([base, *others], self.item_scores, comparison.measure)
        if known is not None and known.rows[0] is base:
            first, *scores = scored(known)
            tested = zip(known.rows[1:], (difference(one, first) for one in scores), strict=True)
            return {(r.row.section, r.row.name): (d.value, d.quantile((1 + LEVEL) / 2)) for r, d in tested}
        results = {}
        for row in others:
            values_of_row, values_of_base = ({r.seed: r.metrics.get(score.key) for r in v.results} for v in (row, base))
            seeds = sorted(values_of_row.keys() & values_of_base.keys())
            pairs = [(values_of_row[seed], values_of_base[seed]) for seed in seeds]
            values = [a - b for a, b in pairs if a is not None and b is not None]
            if values:
                over_seeds = estimate(values)
                results[row.row.section, row.row.name] = over_seeds.mean, over_seeds.half
        return results


def primary_metric(snapshot: Snapshot) -> Shown:
    """Return the number that a board is about: of test, of what sorts rows on validation; that of validation itself
    where no run has it of test.
    """
    key = sort_key(snapshot)[0]
    test = "test/" + key.removeprefix("val/")
    finished = [result.metrics for result in snapshot.results.values() if result.status == "finished"]
    return shown(key if any(key in m for m in finished) and not any(test in m for m in finished) else test)
