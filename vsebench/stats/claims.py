"""Claims that an experiment was made to test: one row is better than another, on all items and on slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from vsebench.runs.item_scores import ItemScores, of_items
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.compared_metrics import Measure, measures, sums
from vsebench.stats.intervals import LEVEL
from vsebench.stats.paired_tests import ALPHA, difference, holm
from vsebench.stats.rank_groups import scored
from vsebench.stats.rows import SECTIONS, RowView, views

#: ``supported`` and ``contradicted`` after Holm's correction over the claims; ``not shown`` otherwise.
Verdict = Literal["supported", "contradicted", "not shown"]


@dataclass(frozen=True)
class Gap:
    """A row's number minus another's on the same items.

    Args:
        value: the difference of the means over seeds, as a share.
        low, high: its 95 % interval over items and seeds.
        p: two-sided; adjusted where it is of a table of claims.
    """

    value: float
    low: float
    high: float
    p: float

    @property
    def verdict(self) -> Verdict:
        """What the test says of the claim that the row is better."""
        return "not shown" if self.p > ALPHA else "supported" if self.value > 0 else "contradicted"


@dataclass(frozen=True)
class JudgedClaim:
    """A claim and what the items say of it.

    Args:
        claim: in words.
        row: name of the row that is to be better.
        over: name of the other.
        gap: on all items, with p adjusted over the claims of the table; None where a row has no results.
        slices: ``field=value`` -> the same on a slice, with p not adjusted.
    """

    claim: str
    row: str
    over: str
    gap: Gap | None
    slices: Mapping[str, Gap] = field(default_factory=dict)


def judged_claims(
    snapshot: Snapshot, item_scores: ItemScores, claims: Sequence[Mapping[str, Any]]
) -> list[JudgedClaim]:
    """Test each claim by the paired test of the board's rank groups, on accuracy (else mean recall).

    Args:
        snapshot: the board's content.
        item_scores: of its test items.
        claims: each with ``claim``, ``row`` and ``over``, the names of two rows.
    """
    rows = {view.row.name: view for section in SECTIONS for view in views(snapshot, section)}
    results = []
    for claim in claims:
        pair = [rows[name] for name in (claim["row"], claim["over"]) if name in rows]
        measure = next(iter(measures(snapshot, pair[0].row.section)), None) if len(pair) == 2 else None
        gap: Gap | None = None
        slices: dict[str, Gap] = {}
        if measure is not None:
            gap = _gap(pair, item_scores, measure)
            parts = [(name, members) for name, members in item_scores.slices.rows() if members.any()]
            of_parts = {name: _gap(pair, of_items(item_scores, members), measure) for name, members in parts}
            slices = {name: part for name, part in of_parts.items() if part is not None}
        results.append(JudgedClaim(claim["claim"], claim["row"], claim["over"], gap, slices))
    known = [result for result in results if result.gap is not None]
    adjusted = holm([result.gap.p for result in known if result.gap is not None], len(known)) if known else []
    p = {id(result): value for result, value in zip(known, adjusted, strict=True)}
    return [
        result if result.gap is None else replace(result, gap=replace(result.gap, p=p[id(result)]))
        for result in results
    ]


def _gap(pair: Sequence[RowView], item_scores: ItemScores, measure: Measure) -> Gap | None:
    """Test the first row against the second; None where items say nothing of one of them."""
    both = sums(pair, item_scores, measure)
    if both is None or len(both.rows) < 2 or not np.any(both.count):
        return None
    result = difference(*scored(both))
    half = result.quantile((1 + LEVEL) / 2)
    return Gap(result.value, result.value - half, result.value + half, result.p)
