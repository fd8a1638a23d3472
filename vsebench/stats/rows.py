"""A board's rows with their estimates, sorted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vsebench.core.metric_specs import mode_of
from vsebench.core.types import Result
from vsebench.runs.snapshot import BoardRow, Snapshot
from vsebench.stats.intervals import Estimate, estimate

#: A board's tables: section -> title.
SECTIONS = {"systems": "Systems", "sweep": "Grid"}


@dataclass(frozen=True)
class RowView:
    """A row with its finished results. A row with a pruned seed stands in no table: what is left of it would be the
    mean over its better seeds."""

    row: BoardRow
    results: Sequence[Result]
    failed: Sequence[Result]
    pruned: Sequence[Result] = ()

    def estimate(self, key: str) -> Estimate | None:
        """Mean and interval over seeds of a metric; None where a result lacks it."""
        values = [r.metrics[key] for r in self.results if key in r.metrics]
        return estimate(values) if values and len(values) == len(self.results) else None

    def train_s(self) -> Estimate:
        """Training time."""
        return estimate([r.train_s for r in self.results])

    def label(self, axis: str) -> str:
        """Its place on an axis; a dash where it has none, as of a row that was merged from another grid."""
        return self.row.axes.get(axis, "–")

    @property
    def config(self) -> Mapping[str, Any]:
        """The resolved system."""
        return self.results[0].config

    @property
    def modalities(self) -> str:
        """``image + text``."""
        return " + ".join(m for m in ("image", "text", "audio") if self.config.get(f"{m}_encoder"))

    def component(self, slot: str) -> str:
        """Name of the component in a slot."""
        spec = self.config.get(slot)
        if slot == "pooling":
            names = list(dict.fromkeys(s["name"] for s in (spec or {}).values()))
            return " / ".join(names)
        return str(spec["name"]) if isinstance(spec, Mapping) else "–"


def views(snapshot: Snapshot, section: str) -> list[RowView]:
    """Return the rows of a section with a finished run, best on validation first (:func:`sort_key`); ties as in the
    file.
    """
    results = []
    for row in snapshot.rows:
        if row.section != section:
            continue
        view = _view(snapshot, row)
        if view.results and not view.pruned:
            results.append(view)
    key, mode = sort_key(snapshot)
    sign = -1.0 if mode == "max" else 1.0

    def order(view: RowView) -> float:
        estimate = view.estimate(key)
        return sign * estimate.mean if estimate is not None else float("inf")

    return sorted(results, key=order)


def axes_of(rows: Sequence[RowView]) -> list[str]:
    """Return the axes of all rows, in the order in which they first stand."""
    return list(dict.fromkeys(axis for row in rows for axis in row.row.axes))


def sort_key(snapshot: Snapshot) -> tuple[str, str]:
    """Return the validation number that orders rows, and its mode: accuracy where there is one, else what chose the
    epoch.

    An epoch may be chosen by a smoother number (``val/nll``); systems are compared by what the board is about.
    """
    if any("val/accuracy" in r.metrics for r in snapshot.results.values() if r.status == "finished"):
        return "val/accuracy", "max"
    return selected_by(snapshot)


def selected_by(snapshot: Snapshot) -> tuple[str, str]:
    """Return the validation number that chose the epochs, and its mode as the metric has it; as recorded, for a metric
    of a plug-in that is not loaded.
    """
    metric = snapshot.select["metric"]
    return metric, mode_of(metric) or snapshot.select["mode"]


def failures(snapshot: Snapshot) -> list[tuple[BoardRow, Result]]:
    """Failed runs with their rows."""
    return [(row, result) for row in snapshot.rows for result in _view(snapshot, row).failed]


def pruned(snapshot: Snapshot) -> list[tuple[BoardRow, Result]]:
    """Pruned runs with their rows, each once, best on validation first (by the number that chooses the epoch)."""
    metric, mode = selected_by(snapshot)
    results = {result.run_id: (row, result) for row in snapshot.rows for result in _view(snapshot, row).pruned}
    worst = float("-inf") if mode == "max" else float("inf")
    return sorted(results.values(), key=lambda f: f[1].metrics.get(metric, worst), reverse=mode == "max")


def missing(snapshot: Snapshot) -> int:
    """Return the number of planned runs without a result."""
    wanted = {run for row in snapshot.rows for run in row.runs.values()}
    return len(wanted - set(snapshot.results))


def _view(snapshot: Snapshot, row: BoardRow) -> RowView:
    results = [snapshot.results[run] for run in row.runs.values() if run in snapshot.results]
    by = {status: [r for r in results if r.status == status] for status in ("finished", "failed", "pruned")}
    return RowView(row, by["finished"], by["failed"], by["pruned"])
