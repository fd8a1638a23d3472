"""What a second modality is worth: each multimodal row against its best counterpart with one modality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vsebench.leaderboard.headline import headline
from vsebench.leaderboard.rows import SECTIONS, RowView, sort_key, views
from vsebench.leaderboard.snapshot import Snapshot
from vsebench.leaderboard.statistics import Estimate, estimate
from vsebench.leaderboard.table import code, escape, table
from vsebench.types import MODALITIES

#: Rows that the table shows, the best on validation.
SHOWN = 40
SAME, SAME_NAME = "the same", "of the same name, with other options"


@dataclass(frozen=True)
class Gain:
    """A multimodal row against one with one modality.

    Args:
        row: the multimodal row.
        best: its counterpart: of the rows with one modality and the same encoder for it, the best on validation.
        modality: what the counterpart sees.
        match: whether the counterpart's encoder is ``the same`` (name and options), or of the same name alone.
        gain: the difference over seeds that both have; None where there is no counterpart or no such seed.
        lacking: modalities of the row for which the experiment has no counterpart.
        reason: why there is no gain.
    """

    row: RowView
    best: RowView | None
    modality: str
    match: str
    gain: Estimate | None
    lacking: tuple[str, ...]
    reason: str = ""


def gains(snapshot: Snapshot) -> list[Gain]:
    """A gain for each row of several modalities, systems first, each part in the order of its table."""
    shown = headline(snapshot)
    if shown is None:
        return []
    rows = [v for section in SECTIONS for v in views(snapshot, section) if v.estimate(shown.key) is not None]
    single = [r for r in rows if len(_modalities(r)) == 1]
    return [_gain(snapshot, row, single, shown.key) for row in rows if len(_modalities(row)) > 1]


def _modalities(row: RowView) -> tuple[str, ...]:
    return tuple(m for m in MODALITIES if row.config.get(f"{m}_encoder"))


def _gain(snapshot: Snapshot, row: RowView, single: Sequence[RowView], key: str) -> Gain:
    found: list[tuple[RowView, str, str]] = []
    for modality in _modalities(row):
        found += _counterparts(row, modality, single)
    has = {modality for _, modality, _ in found}
    lacking = tuple(m for m in _modalities(row) if m not in has)
    if not found:
        return Gain(row, None, "", "", None, lacking, "– (no row with one of its encoders alone)")
    metric, mode = sort_key(snapshot)
    sign = 1.0 if mode == "max" else -1.0

    def on_validation(candidate: tuple[RowView, str, str]) -> float:
        said = candidate[0].estimate(metric)
        return sign * said.mean if said is not None else float("-inf")

    best, modality, match = max(found, key=on_validation)
    own, other = ({r.seed: r.metrics[key] for r in v.results} for v in (row, best))
    differences = [own[seed] - other[seed] for seed in sorted(own.keys() & other.keys())]
    if not differences:
        return Gain(row, best, modality, match, None, lacking, "– (no seed in common)")
    return Gain(row, best, modality, match, estimate(differences), lacking)


def _counterparts(row: RowView, modality: str, single: Sequence[RowView]) -> list[tuple[RowView, str, str]]:
    """Rows of one modality with the row's encoder of it; where none has its options, those with its name."""
    slot = f"{modality}_encoder"
    own = row.config[slot]
    same = [r for r in single if r.config.get(slot) == own]
    match = SAME if same else SAME_NAME
    alike = same or [r for r in single if (r.config.get(slot) or {}).get("name") == own["name"]]
    return [(r, modality, match) for r in alike]


def gains_section(snapshot: Snapshot) -> list[str]:
    """The section; empty where the board has no row of several modalities, or none of one."""
    shown = headline(snapshot)
    found = gains(snapshot)
    if shown is None or not any(gain.best is not None for gain in found):
        return []
    body = []
    for gain in found[:SHOWN]:
        said, lacking = gain.gain, ", ".join(gain.lacking) or "–"
        value = gain.reason if said is None else shown.interval(said.mean, said.half)
        name, modality, match = "–", "–", "–"
        if gain.best is not None:
            name, modality, match = escape(gain.best.row.name), gain.modality, gain.match
        body.append([escape(gain.row.row.name), name, modality, match, lacking, value, str(said.count if said else 0)])
    header = ["Row", "Best counterpart", "Sees", "Its encoder is", "No counterpart for", "Gain", "Seeds"]
    lines = [
        "## Gain over one modality",
        "",
        f"{code(shown.key)}{shown.unit}: each row with several modalities minus the row of this board that "
        "sees one of them through the same encoder. Of several such rows the best on validation "
        f"({code(sort_key(snapshot)[0])}) counts. Interval: t over seeds that both have. Settings other than the "
        "encoder (head, size, training) are those of each row.",
        "",
        *table(header, body, left=5),
        "",
    ]
    if len(found) > SHOWN:
        lines += [
            f"The other {len(found) - SHOWN} rows are left out: systems stand first, then the best on validation.",
            "",
        ]
    return lines
