"""How the rows of a table stand to each other on the same test items: intervals, paired tests, rank groups."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Literal

import numpy as np

from vsebench.runs.item_scores import ItemScores
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.bootstrap import FEW, RESAMPLES, centred_interval, near_edge, percentile_interval, ratios, resampled
from vsebench.stats.compared_metrics import Measure, Resamples, Sums, measures, resampled_measures, resamples_of, sums
from vsebench.stats.intervals import LEVEL, wilson_interval
from vsebench.stats.paired_tests import ALPHA, Difference, Scores, comparisons, difference, seed_noise
from vsebench.stats.rows import SECTIONS, RowView, views

#: What a row is beside the leader of its table: as good as far as the items tell, shown to be worse, or neither.
Status = Literal["leading", "worse", "undecided"]
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
        group: 1 for the leader and all that may be as good; None where that is not decided.
        status: ``leading`` in group 1; ``worse`` than the leader after correction for the table; ``undecided`` where
            only the uncorrected test calls it worse, or a row that is worse has a value as good as its own.
        difference: to the leader, value − leader's; 0 for the leader.
        between: the difference's 95 % interval, over items and seeds, not adjusted; None for the leader.
        p: of the difference to the leader, corrected for the table; None for the leader.
    """

    value: float
    interval: Interval
    group: int | None
    status: Status
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
        resolvable: a difference to the leader, as a share, that would be found in four of five cases: the median over
            the rows nearest to it; None of one row.
    """

    section: str
    measure: Measure
    leader: str
    ranked_rows: Mapping[str, RankedRow] = field(repr=False)
    clusters: int
    seeds: int
    resolvable: float | None = None


class Comparisons(Mapping[tuple[str, str], Comparison]):
    """Every table of a board by every measure that outcomes are kept of: (section, measure's name) -> comparison.

    A comparison is made when it is first asked for: one takes seconds where values are resampled, and a reader of one
    number needs no other.

    Args:
        snapshot: the board's content.
        item_scores: what its runs made of the items.
    """

    def __init__(self, snapshot: Snapshot, item_scores: ItemScores) -> None:
        self.snapshot, self.item_scores = snapshot, item_scores
        self.measures = {
            (section, measure.name): measure
            for section in SECTIONS
            for measure in (*measures(snapshot, section), *resampled_measures(snapshot, section, item_scores))
        }
        self.made: dict[tuple[str, str], Comparison | None] = {}

    def __getitem__(self, key: tuple[str, str]) -> Comparison:
        if key not in self.made:
            self.made[key] = compare(self.snapshot, self.item_scores, key[0], self.measures[key])
        comparison = self.made[key]
        if comparison is None:
            raise KeyError(key)
        return comparison

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return (key for key in self.measures if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def compare(snapshot: Snapshot, item_scores: ItemScores, section: str, measure: Measure) -> Comparison | None:
    """Compare the rows of a section; None where no row has outcomes of the measure.

    The leader is best by the same measure on validation. A row is in its group unless it is worse on test: a paired
    test (:func:`paired_tests.difference`), corrected for how the leader was chosen (:func:`paired_tests.comparisons`).
    The rows that are worse are grouped in the same way, with the best of them on validation as leader of group 2, and
    so on. The chance that a table of rows that are all equally good has more than one group is at most 5 %.
    """
    rows = _ordered(views(snapshot, section), measure)
    result = _outcomes(rows, item_scores, measure)
    if result is None:
        return None
    ranked_rows, to_leader = place(result, sign=measure.sign)
    clusters = result.clusters if isinstance(result, Resamples) else len(result.count)
    near = sorted(to_leader, key=lambda d: abs(d.value))[:NEAREST]
    if measure.mode == "min" and not all(d.differing for d in near):
        near = []  # what one item could move such a number by is not known
    return Comparison(
        section,
        measure,
        result.rows[0].row.name,
        {row.row.name: ranked_row for row, ranked_row in zip(result.rows, ranked_rows, strict=True)},
        clusters,
        min(len(s) for s in result.seeds),
        median(_resolvable(d, len(ranked_rows), clusters) for d in near) if near else None,
    )


def compare_pair(
    snapshot: Snapshot, item_scores: ItemScores, section: str, measure: Measure, a: str, b: str
) -> tuple[Difference, float] | None:
    """Test one row of a section against another over all their seeds, as the board tests a row against its leader.

    Args:
        snapshot: the board's content.
        item_scores: what its runs made of the items.
        section: of both rows.
        measure: what they are compared by.
        a: name of a row.
        b: name of the row that it is compared with.

    Returns: the difference, and its p corrected for the rows of the table; None where a row has no outcomes.
    """
    result = _outcomes(views(snapshot, section), item_scores, measure)
    names = [] if result is None else [row.row.name for row in result.rows]
    if result is None or not {a, b} <= set(names):
        return None
    scores = scored(result)
    d = difference(scores[names.index(a)], scores[names.index(b)])
    return d, corrected(d, len(scores))


def _outcomes(rows: Sequence[RowView], item_scores: ItemScores, measure: Measure) -> Sums | Resamples | None:
    return resamples_of(rows, item_scores, measure) if measure.resampled else sums(rows, item_scores, measure)


def place(
    sums_: Sums | Resamples, *, resamples: int = RESAMPLES, sign: int = 1
) -> tuple[list[RankedRow], list[Difference]]:
    """Return where rows stand, best on validation first, and what all but the first differ from it by.

    Args:
        sums_: the rows, the best on validation first.
        resamples: of the bootstrap.
        sign: -1 where less is better.
    """
    scores = scored(sums_, resamples=resamples)
    value = np.array([score.value for score in scores])
    to_leader = [difference(score, scores[0]) for score in scores[1:]]
    tests: dict[tuple[int, int], Difference] = {}

    def test(i: int, j: int) -> Difference:
        d = to_leader[i - 1] if j == 0 else difference(scores[i], scores[j])
        return tests.setdefault((i, j), replace(d, value=sign * d.value))

    group = decided((sign * value).tolist(), grouped(len(scores), test), tests)
    adjusted = [corrected(d, len(scores)) for d in to_leader]
    intervals = item_intervals(sums_, value, np.stack([score.samples for score in scores], axis=1))
    ranked_rows = [RankedRow(float(value[0]), intervals[0], group[0], "leading")]
    for i, d in enumerate(to_leader, start=1):
        half = d.quantile((1 + LEVEL) / 2)
        between = Interval(d.value - half, d.value + half, "t")
        worse = adjusted[i - 1] <= ALPHA and sign * d.value < 0
        status: Status = "worse" if worse else "undecided" if group[i] is None else "leading"
        ranked_rows.append(
            RankedRow(float(value[i]), intervals[i], group[i], status, d.value, between, adjusted[i - 1])
        )
    return ranked_rows, to_leader


def scored(sums_: Sums | Resamples, *, resamples: int = RESAMPLES) -> list[Scores]:
    """Return what paired tests see of each row, all resampled alike."""
    noises = seed_noise(sums_.seeds, sums_.of_items)
    if isinstance(sums_, Resamples):
        return [
            Scores(float(sums_.value[i]), noise, sums_.samples[:, i], sums_.clusters) for i, noise in enumerate(noises)
        ]
    value, samples = ratios(sums_.total, sums_.count), resampled(sums_.total, sums_.count, resamples=resamples)
    count = len(sums_.count)
    return [
        Scores(float(value[i]), noise, samples[:, i], count, sums_.total[:, i], sums_.binary[i])
        for i, noise in enumerate(noises)
    ]


def item_intervals(sums_: Sums | Resamples, value: np.ndarray, samples: np.ndarray) -> list[Interval]:
    """Return each row's interval over items.

    Args:
        sums_: of the rows over the items.
        value: of each row, :func:`ratios`.
        samples: of the rows, :func:`resampled`.
    """
    if isinstance(sums_, Resamples):
        clusters = sums_.clusters
        low, high = centred_interval(value, samples, share=sums_.share, clusters=clusters)
        edge = sums_.share & (np.minimum(value, 1 - value) * clusters < FEW)
    else:
        low, high = percentile_interval(samples)
        edge, clusters = near_edge(sums_.total, sums_.count), len(sums_.count)
    return [
        Interval(*wilson_interval(float(value[i]), clusters), "wilson")
        if edge[i]
        else Interval(float(low[i]), float(high[i]))
        for i in range(len(value))
    ]


def corrected(difference: Difference, rows: int) -> float:
    """Return the p of a difference to a leader, corrected for the rows of the table."""
    return min(1.0, comparisons(rows, difference.seeds) * difference.p)


def grouped(count: int, test: Callable[[int, int], Difference], alpha: float = ALPHA) -> list[int]:
    """Rank groups of rows in their order on validation.

    The first row leads; a row stays in its group unless the test says that it is worse, after the correction for the
    whole table. The first of those that are worse leads the next group. Each row is compared with one leader to which
    it might be equal, so that the chance of any false rejection is at most alpha over all groups.

    Args:
        count: rows.
        test: of row i against row j.
        alpha: the chance of any false group.

    Returns: each row's group, from 1.
    """
    group, rest, number = [0] * count, list(range(count)), 0
    while rest:
        leader, others = rest[0], rest[1:]
        number += 1
        tested = [test(i, leader) for i in others]
        rest = [i for i, d in zip(others, tested, strict=True) if corrected(d, count) <= alpha and d.value < 0]
        for i in (leader, *others):
            group[i] = number
    return group


def decided(
    values: Sequence[float], groups: Sequence[int], tests: Mapping[tuple[int, int], Difference], alpha: float = ALPHA
) -> list[int | None]:
    """Take rows out of their groups of which it is not decided that they belong there.

    Not to be shown to be worse than a leader is no merit where seeds disagree or items are few. A row is undecided
    where the test alone says that it is worse and only the correction for the table does not, and where a row of a
    later group has a value at least as good as its own.

    Args:
        values: of the rows.
        groups: :func:`grouped`; the first row of each leads it.
        tests: of rows (i, leader of its group).
        alpha: of the test alone.

    Example:
        >>> decided([3.66, 3.06, 3.44], [1, 1, 2], {(1, 0): Difference(-0.6, 0.3, 2, 0.2)})
        [1, None, 2]
    """
    results: list[int | None] = []
    for i, (value, group) in enumerate(zip(values, groups, strict=True)):
        leader = groups.index(group)
        alone = i != leader and tests[i, leader].p <= alpha and tests[i, leader].value < 0
        below = i != leader and any(g > group and v >= value for v, g in zip(values, groups, strict=True))
        results.append(None if alone or below else group)
    return results


def _ordered(rows: Sequence[RowView], measure: Measure) -> list[RowView]:
    """Best on validation by the measure first; rows without it last."""

    def order(row: RowView) -> float:
        result = measure.value(row, "val")
        return float("inf") if result is None else -measure.sign * result

    return sorted(rows, key=order)


def _resolvable(difference: Difference, rows: int, clusters: int) -> float:
    """Compute the difference to the leader that is found with a chance of about ``POWER``, of M comparisons.

        max((t_{1 − α/2M} + t_{POWER}) · error, (λ − k) / m),   P(Poisson(λ) ≥ 1 + log2(M/α)) = POWER

    The second is the test of signs, below whose p no test goes: so many of the m clusters have to differ, of which k do
    already. It is what remains where two rows agree on every item.
    """
    from scipy.special import gammaincinv

    family = comparisons(rows, difference.seeds)
    by_error = difference.quantile(1 - ALPHA / (2 * family)) + difference.quantile(POWER)
    signs = float(gammaincinv(math.ceil(1 + math.log2(family / ALPHA)), POWER))
    return max(by_error, (signs - difference.differing) / clusters)
