"""How the rows of a table stand to each other on the same test items: intervals, paired tests, rank groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vsebench.leaderboard.outcomes import Outcomes
from vsebench.leaderboard.snapshot import Snapshot


@dataclass(frozen=True)
class Interval:
    """A 95 % interval, as shares.

    Args:
        low, high: its ends.
        method: ``bootstrap`` or ``wilson``.
    """

    low: float
    high: float
    method: str = "bootstrap"


@dataclass(frozen=True)
class Standing:
    """A row's place.

    Args:
        value: mean over seeds, as a share.
        interval: over items.
        group: 1 for the leader and all that do not differ from it.
        difference: to the leader, value − leader's; 0 for the leader.
        between: the difference's 95 % interval, over items and seeds; None for the leader.
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
        measure: ``accuracy``, ``vqa_accuracy`` or ``recall``.
        title: of the measure, for a reader.
        scale: what a share is multiplied by to be shown (100; more for sums of several shares).
        leader: name of the row that is best on validation.
        standings: by row name.
        resolvable: the smallest difference, as a share, that would be found in four of five cases; None of one row.
    """

    section: str
    measure: str
    title: str
    scale: float
    leader: str
    standings: Mapping[str, Standing] = field(repr=False)
    resolvable: float | None = None


def compare(snapshot: Snapshot, outcomes: Outcomes, section: str, measure: str) -> Comparison | None:
    """Compare the rows of a section; None where fewer than one row has outcomes of the measure."""
    raise NotImplementedError
