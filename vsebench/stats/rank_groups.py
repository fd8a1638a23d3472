"""How the rows of a table stand to each other on the same test items: intervals, paired tests, rank groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from vsebench.runs.item_scores import ItemScores
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.bootstrap import RESAMPLES, near_edge, percentile_interval, ratios, resampled
from vsebench.stats.compared_metrics import Measure, Sums, measures, sums
from vsebench.stats.intervals import LEVEL, wilson_interval
from vsebench.stats.paired_tests import ALPHA, Difference, Scores, difference, holm, seed_noise
from vsebench.stats.rows import SECTIONS, RowView, views

#: How often a difference of the size that is called resolvable would be found.
POWER = 0.8
#: What can be resolved is said for so many rows next to the leader; rows far below it vary more.
NEAREST = 5


@dataclass(frozen=True)
class Interval:
    """A 95 % interval, as shares.

    Args:
        low, high: its ends.
        method: ``bootstrap``, ``wilson`` or, of a difference, ``t``.
    """

    low: float
    high: float
    method: str = "bootstrap"


@dataclass(frozen=True)
class RankedRow:
    """A row's place.

    Args:
        value: mean over seeds, as a share.
        interval: over items.
        group: 1 for the leader and all that are not shown to be worse.
        difference: to the leader, value − leader's; 0 for the leader.
        between: the difference's 95 % interval, over items and seeds, not adjusted; None for the leader.
        p: of the difference to the leader, adjusted for all comparisons of the table; None for the leader.
    """

    value: float
    interval: Interval
    group: int
    difference: float = 0.0
    between: Interval | None = None
    p: float | None = None


@dataclass(frozen=True)
class Comparison:
    """The rows of one table by one measure.

    Args:
        section: ``systems`` or ``sweep``.
        measure: what they are compared by.
        leader: name of the row that is best on validation.
        ranked_rows: by row name, best on validation first.
        clusters: how many clusters of items were resampled.
        seeds: the fewest seeds of a row.
        family: comparisons that p-values are adjusted for.
        resolvable: a difference to the leader, as a share, that would be found in four of five cases: the median over
            the rows nearest to it; None of one row.
    """

    section: str
    measure: Measure
    leader: str
    ranked_rows: Mapping[str, RankedRow] = field(repr=False)
    clusters: int
    seeds: int
    family: int
    resolvable: float | None = None


def compare_all(snapshot: Snapshot, item_scores: ItemScores) -> dict[tuple[str, str], Comparison]:
    """Every table of a board by every measure that is a mean over items: (section, measure's name) -> comparison."""
    results = {}
    for section in SECTIONS:
        for measure in measures(snapshot, section):
            made = compare(snapshot, item_scores, section, measure)
            if made is not None:
                results[section, measure.name] = made
    return results


def compare(snapshot: Snapshot, item_scores: ItemScores, section: str, measure: Measure) -> Comparison | None:
    """Compare the rows of a section; None where no row has outcomes of the measure.

    The leader is best by the same measure on validation. A row is in its group unless it is worse on test: a paired
    test (:func:`paired.difference`), Holm-adjusted for all pairs of rows of the table. The rows that are worse are
    grouped in the same way, with the best of them on validation as leader of group 2, and so on.

    Why all pairs, and not only those with the leader: validation chooses a leader whose seeds came out well, and they
    do so on test too. With all pairs it does not matter which row leads. The chance that a table of rows that are all
    equally good has more than one group is at most 5 %.
    """
    rows = _ordered(views(snapshot, section), measure)
    result = sums(rows, item_scores, measure)
    if result is None:
        return None
    ranked_rows, to_leader = place(result)
    family = family_of(len(ranked_rows))
    near = sorted(to_leader, key=lambda d: abs(d.value))[:NEAREST]
    return Comparison(
        section,
        measure,
        result.rows[0].row.name,
        {row.row.name: ranked_row for row, ranked_row in zip(result.rows, ranked_rows, strict=True)},
        len(result.count),
        min(len(s) for s in result.seeds),
        family,
        median(_resolvable(d, family) for d in near) if near else None,
    )


def family_of(rows: int) -> int:
    """Comparisons that a table is corrected for: its pairs of rows."""
    return rows * (rows - 1) // 2


def place(
    sums_: Sums, *, resamples: int = RESAMPLES, family: int | None = None
) -> tuple[list[RankedRow], list[Difference]]:
    """Where rows stand, best on validation first, and what all but the first differ from it by.

    Args:
        sums_: the rows, the best on validation first.
        resamples: of the bootstrap.
        family: comparisons to correct for; all pairs of rows by default.
    """
    value, scores = ratios(sums_.total, sums_.count), scored(sums_, resamples=resamples)
    to_leader = [difference(score, scores[0]) for score in scores[1:]]
    family = family_of(len(scores)) if family is None else family
    group = grouped(len(scores), lambda i, j: to_leader[i - 1] if j == 0 else difference(scores[i], scores[j]), family)
    adjusted = holm([d.p for d in to_leader], family)
    intervals = item_intervals(sums_, value, np.stack([score.samples for score in scores], axis=1))
    ranked_rows = [RankedRow(float(value[0]), intervals[0], group[0])]
    for i, d in enumerate(to_leader, start=1):
        half = d.quantile((1 + LEVEL) / 2)
        between = Interval(d.value - half, d.value + half, "t")
        ranked_rows.append(RankedRow(float(value[i]), intervals[i], group[i], d.value, between, adjusted[i - 1]))
    return ranked_rows, to_leader


def scored(sums_: Sums, *, resamples: int = RESAMPLES) -> list[Scores]:
    """Return what paired tests see of each row, all resampled alike."""
    value, samples = ratios(sums_.total, sums_.count), resampled(sums_.total, sums_.count, resamples=resamples)
    return [
        Scores(float(value[i]), noise, samples[:, i], sums_.total[:, i], sums_.binary[i])
        for i, noise in enumerate(seed_noise(sums_.seeds))
    ]


def item_intervals(sums_: Sums, value: np.ndarray, samples: np.ndarray) -> list[Interval]:
    """Return each row's interval over items.

    Args:
        sums_: of the rows over the items.
        value: of each row, :func:`ratios`.
        samples: of the rows, :func:`resampled`.
    """
    low, high = percentile_interval(samples)
    edge = near_edge(sums_.total, sums_.count)
    return [
        Interval(*wilson_interval(float(value[i]), len(sums_.count)), "wilson")
        if edge[i]
        else Interval(float(low[i]), float(high[i]))
        for i in range(len(value))
    ]


def grouped(count: int, test: Callable[[int, int], Difference], family: int, alpha: float = ALPHA) -> list[int]:
    """Rank groups of rows in their order on validation.

    The first row leads; a row stays in its group unless the test says that it is worse, after Holm's correction over
    the family. The first of those that are worse leads the next group.

    Holm is begun anew for each leader with the whole family. What that rejects, Holm over all comparisons together
    rejects too, so that the chance of any false rejection is at most alpha over all groups.

    Args:
        count: rows.
        test: of row i against row j.
        family: comparisons that might be made.
        alpha: the chance of any false group.

    Returns: each row's group, from 1.
    """
    group, rest, number = [0] * count, list(range(count)), 0
    while rest:
        leader, others = rest[0], rest[1:]
        number += 1
        tested = [test(i, leader) for i in others]
        adjusted = holm([d.p for d in tested], max(family, len(others)))
        rest = [i for i, d, p in zip(others, tested, adjusted, strict=True) if p <= alpha and d.value < 0]
        for i in (leader, *others):
            group[i] = number
    return group


def _ordered(rows: Sequence[RowView], measure: Measure) -> list[RowView]:
    """Best on validation by the measure first; rows without it last."""

    def order(row: RowView) -> float:
        result = measure.value(row, "val")
        return float("inf") if result is None else -result

    return sorted(rows, key=order)


def _resolvable(difference: Difference, family: int) -> float:
    """(t_{1 − α/2M} + t_{power}) standard errors: what Holm's first step finds with a chance of about ``POWER``."""
    return difference.quantile(1 - ALPHA / (2 * family)) + difference.quantile(POWER)
