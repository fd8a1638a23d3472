"""What a board cannot say: rows below their own parts, encoders that have not learned, differences out of reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vsebench.core.types import MODALITIES
from vsebench.leaderboard.significance import Comparisons
from vsebench.leaderboard.unimodal import Gain, gains
from vsebench.ops.ranking import DIRECTIONS
from vsebench.runs.item_scores import ItemScores
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.compared_metrics import Measure, measures, sums
from vsebench.stats.intervals import wilson_interval
from vsebench.stats.paired_tests import ALPHA, difference, holm
from vsebench.stats.rank_groups import scored
from vsebench.stats.rows import SECTIONS, RowView, axes_of, views


@dataclass(frozen=True)
class Headroom:
    """What is left to win above a control row.

    Args:
        top: the ceiling's name, or the row that is best on validation.
        control: name of the control row.
        value: top minus control, as a share.
        resolvable: the difference that the table can tell, as a share.
    """

    top: str
    control: str
    value: float
    resolvable: float

    @property
    def too_small(self) -> bool:
        """Whether no row could be told from the control."""
        return self.value < self.resolvable


def not_better_than_unimodal(snapshot: Snapshot, item_scores: ItemScores | None = None) -> list[Gain]:
    """Return the rows of several modalities that are not shown to be better than their own best row of one.

    With what is kept of each item, by a paired test of each row by itself; without, where the gain's 95 % interval over
    seeds reaches 0 (of one seed: where the gain does not exceed it). A correction for the number of rows would call
    rows far above their own parts into doubt where each has two seeds.
    """
    judged = _judged(snapshot, item_scores, corrected=False)
    return [gain for gain, better in judged if not better and not is_placebo(gain.row)]


def placebos_better_than_unimodal(snapshot: Snapshot, item_scores: ItemScores | None = None) -> list[Gain]:
    """Return the placebo rows that are better than their best row of one modality, by paired tests with Holm's
    correction over all rows of several.

    Nothing of what they read can help them: what such a row gains has another cause, which the other rows share.
    """
    judged = _judged(snapshot, item_scores, corrected=True)
    return [gain for gain, better in judged if better and is_placebo(gain.row)]


def is_placebo(row: RowView) -> bool:
    """Return whether a row reads each item with another item's text, image or sound."""
    return row.config.get("placebo") is not None


def _judged(snapshot: Snapshot, item_scores: ItemScores | None, *, corrected: bool) -> list[tuple[Gain, bool]]:
    """Return each gain over one modality, and whether it is shown."""
    known = [gain for gain in gains(snapshot) if gain.best is not None and gain.gain is not None]
    p = _tested(snapshot, known, item_scores, corrected=corrected)
    results = []
    for number, gain in enumerate(known):
        assert gain.gain is not None
        over_seeds = gain.gain.mean - (gain.gain.half or 0.0) > 0
        results.append((gain, bool(p[number] <= ALPHA if number in p else over_seeds)))
    return results


def _tested(
    snapshot: Snapshot, known: Sequence[Gain], item_scores: ItemScores | None, *, corrected: bool
) -> dict[int, float]:
    """Return the p of each gain that items say something of; 1 of a row that is not above the other."""
    numbers, p = [], []
    for number, gain in enumerate(known):
        measure = _classified(snapshot, gain.row.row.section)
        if item_scores is None or measure is None or gain.best is None:
            continue
        both = sums([gain.row, gain.best.row], item_scores, measure)
        if both is None or len(both.rows) < 2:
            continue
        result = difference(*scored(both))
        numbers.append(number)
        p.append(result.p if result.value > 0 else 1.0)
    return dict(zip(numbers, holm(p, len(p)) if corrected and p else p, strict=True))


def encoders_at_majority(snapshot: Snapshot, comparisons: Comparisons) -> list[tuple[str, RowView]]:
    """Return (slot, row) of encoders whose every row alone is no better than the most frequent class.

    A row is no better where its 95 % interval over items does not lie above the majority's share.
    """
    majority = snapshot.dataset.get("majority", {}).get("test")
    alone: dict[tuple[str, str], list[RowView]] = {}
    for row in (row for section in SECTIONS for row in views(snapshot, section)):
        used = [m for m in MODALITIES if row.config.get(f"{m}_encoder")]
        if len(used) == 1 and row.estimate("test/accuracy") is not None:
            alone.setdefault((f"{used[0]}_encoder", row.component(f"{used[0]}_encoder")), []).append(row)
    if majority is None:
        return []
    low = {key: [_low(snapshot, comparisons, row) <= majority for row in rows] for key, rows in alone.items()}
    return [(slot, alone[slot, name][0]) for (slot, name), at in low.items() if all(at)]


def failing_levels(
    snapshot: Snapshot, comparisons: Comparisons, item_scores: ItemScores | None = None
) -> dict[str, list[str]]:
    """Return axis -> levels that fail: each of their rows is no better than the most frequent class, or than its own
    best row of one modality.

    An effect of the factor is to be reported without them: it would be that of a part that has not learned. An axis all
    of whose levels fail has no effect to report. An axis of several grids is judged by the rows of all.
    """
    majority = snapshot.dataset.get("majority", {}).get("test")
    below = {(g.row.row.section, g.row.row.name) for g in not_better_than_unimodal(snapshot, item_scores)}
    rows = [row for row in views(snapshot, "sweep") if row.estimate("test/accuracy") is not None]
    results: dict[str, list[str]] = {}
    for axis in axes_of(rows):
        levels: dict[str, list[bool]] = {}
        for row in (row for row in rows if axis in row.row.axes):
            fails = (row.row.section, row.row.name) in below
            fails |= majority is not None and _low(snapshot, comparisons, row) <= majority
            levels.setdefault(row.label(axis), []).append(fails)
        failing = [level for level, fails in levels.items() if all(fails)]
        if failing and len(levels) > 1:
            results[axis] = failing
    return results


def headroom(snapshot: Snapshot, comparisons: Comparisons, control: str | None = None) -> Headroom | None:
    """Return what is left to win above the control row; None without one, or where no difference was tested.

    Args:
        snapshot: the board's.
        comparisons: its paired tests; the largest resolvable difference counts.
        control: name of the row, such as late fusion by product; by default the row of one modality that is best on
            validation.

    Raises: ValueError for a name of no row.
    """
    rows = [row for section in SECTIONS for row in views(snapshot, section)]
    if control is not None and control not in {row.row.name for row in rows}:
        raise ValueError(f"there is no row '{control}' to compare with.")
    single = [row for row in rows if " + " not in row.modalities]
    candidates = [row for row in rows if row.row.name == control] if control is not None else single
    by_validation = sorted(candidates, key=lambda row: -_mean(row, "val/accuracy"))
    resolvable = [
        c.resolvable
        for c in comparisons.values()
        if not (c.measure.depths or c.measure.resampled) and c.resolvable is not None
    ]
    if not by_validation or not resolvable or by_validation[0].estimate("test/accuracy") is None:
        return None
    ceilings: Mapping[str, float] = snapshot.dataset.get("ceilings") or {}
    best = max(rows, key=lambda row: _mean(row, "val/accuracy"))
    top, value = max(ceilings.items(), key=lambda one: one[1]) if ceilings else (best.row.name, _mean(best))
    lower = by_validation[0]
    return Headroom(top, lower.row.name, value - _mean(lower), max(resolvable))


def retrieval_at_chance(snapshot: Snapshot, comparisons: Comparisons) -> list[RowView]:
    """Return the ranked rows whose mean recall over depths and directions is not shown to be above chance."""
    results = []
    for section in SECTIONS:
        measure = next((m for m in measures(snapshot, section) if m.depths), None)
        for row in views(snapshot, section) if measure is not None else ():
            value = measure.value(row, "test") if measure is not None else None
            if measure is None or value is None or is_placebo(row):
                continue
            keys = [f"test/{way}/chance/recall@{k}" for way in DIRECTIONS for k in measure.depths]
            levels = [e.mean for key in keys if (e := row.estimate(key)) is not None]
            if len(levels) == len(keys) and _low(snapshot, comparisons, row, measure, value) <= sum(levels) / len(keys):
                results.append(row)
    return results


def _low(
    snapshot: Snapshot,
    comparisons: Comparisons,
    row: RowView,
    measure: Measure | None = None,
    value: float | None = None,
) -> float:
    """Return the lower end of a row's 95 % interval over items: as compared, else Wilson's over test items."""
    measure = measure or Measure("accuracy", "accuracy")
    compared = comparisons.get((row.row.section, measure.name))
    if compared is not None and row.row.name in compared.ranked_rows:
        return compared.ranked_rows[row.row.name].interval.low
    value = _mean(row) if value is None else value
    return wilson_interval(value, int(snapshot.dataset["splits"]["test"]))[0]


def _classified(snapshot: Snapshot, section: str) -> Measure | None:
    return next((m for m in measures(snapshot, section) if not m.depths), None)


def _mean(row: RowView, key: str = "test/accuracy") -> float:
    estimate = row.estimate(key)
    return float("-inf") if estimate is None else estimate.mean
