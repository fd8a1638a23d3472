"""What a second modality is worth: each multimodal row against its best counterpart with one modality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vsebench.core.types import MODALITIES
from vsebench.leaderboard.board import primary_metric
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.intervals import Estimate, estimate
from vsebench.stats.rows import SECTIONS, RowView, sort_key, views


@dataclass(frozen=True)
class Counterpart:
    """A row with one modality of another row.

    Args:
        row: it.
        modality: what it sees.
        same: whether its encoder has the other row's options too, not its name alone.
    """

    row: RowView
    modality: str
    same: bool


@dataclass(frozen=True)
class Gain:
    """A multimodal row against one with one modality.

    Args:
        row: the multimodal row.
        best: of its counterparts, the best on validation.
        gain: the difference over seeds that both have; None where there is no counterpart or no such seed.
        missing: modalities of the row without a counterpart. One of them could be better alone than ``best``, and the
            gain over the best then smaller.
    """

    row: RowView
    best: Counterpart | None
    gain: Estimate | None
    missing: tuple[str, ...]


def gains(snapshot: Snapshot) -> list[Gain]:
    """Compute the gain of each row of several modalities, systems first, each part in the order of its table."""
    shown = primary_metric(snapshot)
    rows = [v for section in SECTIONS for v in views(snapshot, section) if v.estimate(shown.key) is not None]
    single = [r for r in rows if len(_modalities(r)) == 1]
    return [_gain(snapshot, row, single, shown.key) for row in rows if len(_modalities(row)) > 1]


def _modalities(row: RowView) -> tuple[str, ...]:
    return tuple(m for m in MODALITIES if row.config.get(f"{m}_encoder"))


def _gain(snapshot: Snapshot, row: RowView, single: Sequence[RowView], key: str) -> Gain:
    results = [c for modality in _modalities(row) for c in _counterparts(row, modality, single)]
    missing = tuple(m for m in _modalities(row) if m not in {c.modality for c in results})
    metric, mode = sort_key(snapshot)
    sign = 1.0 if mode == "max" else -1.0

    def on_validation(candidate: Counterpart) -> float:
        message = candidate.row.estimate(metric)
        return sign * message.mean if message is not None else float("-inf")

    best = max(results, key=on_validation, default=None)
    if best is None:
        return Gain(row, None, None, missing)
    numbers_of_rows, other = ({r.seed: r.metrics[key] for r in v.results} for v in (row, best.row))
    differences = [numbers_of_rows[seed] - other[seed] for seed in sorted(numbers_of_rows.keys() & other.keys())]
    return Gain(row, best, estimate(differences) if differences else None, missing)


def _counterparts(row: RowView, modality: str, single: Sequence[RowView]) -> list[Counterpart]:
    """Rows of one modality with the row's encoder of it; where none has its options, those with its name."""
    slot = f"{modality}_encoder"
    component = row.config[slot]
    alike = [r for r in single if (r.config.get(slot) or {}).get("name") == component["name"]]
    same = [r for r in alike if r.config[slot] == component]
    return [Counterpart(r, modality, bool(same)) for r in same or alike]
