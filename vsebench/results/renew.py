"""A board's numbers by today's definitions of its metrics, from the predictions of its runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from vsebench.core.errors import ConfigError
from vsebench.core.metric_specs import metric_entry, parse_metrics
from vsebench.core.registry import METRICS
from vsebench.core.types import Result
from vsebench.leaderboard.sections.protocol import other_definitions
from vsebench.results.recompute import agrees, recompute
from vsebench.runs.snapshot import Snapshot
from vsebench.runs.store import Store

#: How the note of a run begins whose epoch an earlier version of a metric chose.
CHOSEN_BY = "the epoch was chosen by version "
Changed = Mapping[str, tuple[int, int]]  # metric -> its version before, and now


@dataclass(frozen=True)
class Renewed:
    """What came of it.

    Args:
        metrics: those computed again.
        results: the finished runs with their new numbers, by run id; empty where nothing was computed again.
        missing: metrics that stay as they were -> why, a line for each run that stands in the way.
    """

    metrics: Changed
    results: Mapping[str, Result]
    missing: Mapping[str, list[str]] = field(default_factory=dict)


def renew(snapshot: Snapshot, store: Store) -> Renewed:
    """Compute again what is by other definitions than today's. A metric is done for all finished runs or for none, so
    that rows of different versions never share a table. Nothing is written.

    Args:
        snapshot: the board's content.
        store: of the board's runs; predictions come from their folders.
    """
    other = other_definitions(snapshot)
    if not other:
        return Renewed({}, {})
    missing: dict[str, list[str]] = {}
    selected = metric_of(snapshot.select["metric"])
    if selected in other and any(r.status == "pruned" for r in snapshot.results.values()):
        missing[selected] = ["pruned runs, which it was the number of, stored no predictions"]
    results, numbers = {}, {}
    for run, on_board in snapshot.results.items():
        if on_board.status != "finished":
            continue
        run_result, numbers[run], reasons = _computed(on_board, store, other)
        results[run] = run_result
        for name, reason in reasons.items():
            missing.setdefault(name, []).append(f"{run} ({run_result.system}): {reason}")
    done = {name: both for name, both in other.items() if name not in missing}
    if not done:
        return Renewed({}, {}, missing)
    return Renewed(done, {run: _with(r, numbers[run], done, selected) for run, r in results.items()}, missing)


def metric_of(key: str) -> str:
    """Return the name of the metric that gives a key; empty where none does.

    Example:
        >>> metric_of("test/i2t/skipped/recall@5"), metric_of("val/f1/micro"), metric_of("test/mine")
        ('recall', 'f1', '')
    """
    try:
        return parse_metrics([metric_entry(key)])[0].name
    except ConfigError:
        return ""


def _computed(
    on_board: Result, store: Store, other: Iterable[str]
) -> tuple[Result, Mapping[str, float], dict[str, str]]:
    """Read a run's own result, recompute its numbers by today's definitions, and name the metrics that cannot be
    trusted, with reasons.
    """
    folder, run_result = store.run_folder(on_board.run_id), store.read(on_board.run_id)
    if run_result is None:
        return on_board, {}, dict.fromkeys(other, f"{folder} has no whole result")
    again = recompute(folder, replace(run_result, metric_versions={}))
    if again.damaged:
        return run_result, {}, dict.fromkeys(other, again.damaged[0])
    reasons: dict[str, str] = {}
    for key, value in run_result.metrics.items():
        name = metric_of(key)
        if name in other and key not in again.numbers and "skipped" not in key.split("/"):
            reasons[name] = again.missing.get(key, f"its predictions give no {key}")
            continue
        checked = name not in other and key in again.numbers and _is_today_s(name, run_result)
        if checked and not agrees(value, again.numbers[key], again.tolerance[key]):
            message = f"its predictions give {key} {again.numbers[key]:.6g}, its result says {value:.6g}"
            return run_result, {}, dict.fromkeys(other, message)
    return run_result, again.numbers, reasons


def _is_today_s(name: str, result: Result) -> bool:
    return bool(result.metric_versions.get(name) == METRICS.get(name).facts["version"])


def _with(result: Result, numbers: Mapping[str, float], done: Changed, selected: str) -> Result:
    """Return the result with today's numbers of some metrics."""
    metrics = {key: value for key, value in result.metrics.items() if metric_of(key) not in done}
    metrics |= {key: value for key, value in numbers.items() if metric_of(key) in done}
    message = ", ".join(f"{name} (version {now} for {before})" for name, (before, now) in done.items())
    notes = [f"computed again from the stored predictions by other definitions: {message}"]
    if selected in done:
        notes.append(f"{CHOSEN_BY}{done[selected][0]} of {selected}")
    versions = {**result.metric_versions, **{name: now for name, (_, now) in done.items()}}
    return replace(result, metrics=metrics, metric_versions=versions, notes=[*result.notes, *notes])
