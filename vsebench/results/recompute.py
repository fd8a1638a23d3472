"""A run's numbers once more, from what it stored and from nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vsebench.components.metric._curves import compact, curves_of
from vsebench.core.errors import ConfigError, DataError, MetricError, UnknownComponent
from vsebench.core.metric_specs import Metric, compute, metric_entry, parse_metrics, tuned, versions
from vsebench.core.plugins import import_stored, refusal
from vsebench.core.types import Result
from vsebench.runs.predictions import StoredPredictions, load_predictions, predictions_file
from vsebench.runs.slices import slice_numbers
from vsebench.runs.store import RUN, read_history, read_run_file

SPLITS = ("val", "test")
CURVES = "curves-test.json"
#: Sums of float64 may be added up in another order by another version of a library.
ROUNDING = 1e-9
#: Lists by float32 vectors: where two scores are as good as equal, another processor may put them the other way round.
LISTS = 1e-5
#: Parts of keys whose numbers do not depend on scores.
_UNSCORED = {"chance", "skipped"}


@dataclass
class Recomputed:
    """What a run's stored predictions come to.

    Args:
        numbers: key with split -> value.
        tolerance: key -> by how much the stored number may differ, relative to the larger one.
        missing: key -> why it cannot be computed again.
        damaged: messages about files that cannot be read.
        curves: of test's codes, as results have them; None where they cannot be drawn again.
    """

    numbers: dict[str, float] = field(default_factory=dict)
    tolerance: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    curves: Mapping[str, Any] | None = None


def agrees(a: float, b: float, tolerance: float = 0.0) -> bool:
    """Return whether two numbers are the same up to a share of the larger one; NaN is NaN."""
    return a == b or (a != a and b != b) or abs(a - b) <= tolerance * max(abs(a), abs(b))


def recompute(folder: Path, result: Result, *, trust: bool = False) -> Recomputed:
    """Compute every number of a finished or pruned run again.

    A pruned run's number comes from its history; indexes' measurements are of time and memory, and stand alone.

    Args:
        folder: of the run.
        result: as stored.
        trust: import the plug-ins that the run names. Without it, numbers of their metrics are among ``missing``.
    """
    results = Recomputed()
    if result.status == "pruned":
        _from_history(folder, result, results)
    elif "index" in result.metric_versions:
        results.missing = dict.fromkeys(result.metrics, "measurements of an index have no predictions")
    else:
        _from_predictions(folder, result, results, trust)
    return results


def _from_history(folder: Path, result: Result, recomputed: Recomputed) -> None:
    try:
        epochs = read_history(folder)
    except DataError as error:
        recomputed.damaged.append(str(error))
        return
    best = next((e for e in epochs if e.get("epoch") == result.best_epoch), {})
    for key in result.metrics:
        if key in best:
            recomputed.numbers[key], recomputed.tolerance[key] = best[key], 0.0
        else:
            recomputed.missing[key] = f"the history has no {key} of epoch {result.best_epoch}"


def _from_predictions(folder: Path, result: Result, recomputed: Recomputed, trust: bool) -> None:
    metrics, reasons = _metrics(folder, result, recomputed, trust)
    # Validation comes first: it tunes the thresholds that test is then judged by, as in the run.
    thresholds: Mapping[str, float] | None = None
    for split in SPLITS:
        keys = [key for key in result.metrics if key.startswith(f"{split}/")]
        file = predictions_file(folder, split)
        if not file.is_file():
            recomputed.missing |= dict.fromkeys(keys, f"its folder has no {file.name}")
            continue
        try:
            predictions = load_predictions(folder, split)
            if split == "val":
                thresholds = tuned(predictions, metrics)
            if thresholds is not None:  # without validation's predictions, test's own say what they were
                predictions = replace(predictions, thresholds=thresholds)
            message = reasons | _compute(predictions, metrics, split, recomputed)
        except (DataError, MetricError) as error:
            recomputed.damaged.append(str(error))
            recomputed.missing |= dict.fromkeys(keys, f"{file.name} cannot be used")
            continue
        if split == "test":
            of_slices = {
                f"{split}/{key}": v for key, v in slice_numbers(predictions, predictions.slices, metrics)[0].items()
            }
            recomputed.numbers |= of_slices
            recomputed.tolerance |= dict.fromkeys(of_slices, ROUNDING)
        for key in (key for key in keys if key not in recomputed.numbers):
            reason = next((why for metric, why in message.items() if metric in _of(key)), predictions.missing)
            if reason:
                recomputed.missing.setdefault(key, reason)
        if split == "test":
            recomputed.curves = _curves(folder, predictions, recomputed)


def _compute(
    predictions: StoredPredictions, metrics: Sequence[Metric], split: str, recomputed: Recomputed
) -> dict[Metric, str]:
    """Compute what can be, from the compact part where that is enough. Returns: metric -> why it could not be."""
    reasons: dict[Metric, str] = {}
    for metric in metrics:
        for some, tolerance in ((predictions.compact, ROUNDING), (predictions, LISTS)):
            try:
                numbers = compute(some, [metric])
            except MetricError as error:
                reasons[metric] = str(error)
                continue
            if numbers:
                recomputed.numbers |= {f"{split}/{name}": value for name, value in numbers.items()}
                exact = {name for name in numbers if some.exact or _UNSCORED & set(name.split("/"))}
                recomputed.tolerance |= {
                    f"{split}/{name}": ROUNDING if name in exact else tolerance for name in numbers
                }
                reasons.pop(metric, None)
                break
    return reasons


def _metrics(
    folder: Path, result: Result, recomputed: Recomputed, trust: bool
) -> tuple[list[Metric], dict[Metric, str]]:
    """Return the run's metrics in this version; name those of another version of their definition."""
    metrics: list[Metric] = []
    entries, left_out = _asked(folder, recomputed, trust)
    for entry in [*entries, *result.metrics]:
        try:
            metrics += parse_metrics([metric_entry(entry) if entry in result.metrics else entry])
        except UnknownComponent as error:
            if entry in result.metrics:
                recomputed.missing[entry] = refusal(left_out, run=result.run_id, component=error.component)
        except ConfigError as error:
            if entry in result.metrics:
                recomputed.missing[entry] = str(error)
    metrics = list(dict.fromkeys(metrics))
    reasons: dict[Metric, str] = {}
    for name, version in versions(metrics).items():
        stored = result.metric_versions.get(name)
        if stored is not None and stored != version:
            message = f"it was measured by version {stored} of {name}, which is at version {version} here"
            reasons |= {metric: message for metric in metrics if metric.name == name}
    return [metric for metric in metrics if metric not in reasons], reasons


def _asked(folder: Path, recomputed: Recomputed, trust: bool) -> tuple[list[str], list[str]]:
    """Read the list of metrics in the run's file, and the plug-ins that it names and that were not imported."""
    if not (folder / RUN).is_file():
        return [], []
    try:
        run_config = read_run_file(folder)
    except DataError as error:
        recomputed.damaged.append(str(error))
        return [], []
    return run_config["metrics"], import_stored(run_config["plugins"], trust=trust)


def _of(key: str) -> list[Metric]:
    """Return the metric that gives a key; empty where none does."""
    try:
        return parse_metrics([metric_entry(key)])
    except ConfigError:
        return []


def _curves(folder: Path, predictions: StoredPredictions, recomputed: Recomputed) -> Mapping[str, Any] | None:
    """From the codes; of a run that stored none, from the curves themselves, in full."""
    if predictions.codes:
        return compact(curves_of(predictions))
    file = folder / CURVES
    if not file.is_file():
        return None
    try:
        return compact(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        recomputed.damaged.append(f"{file}: not the curves of a run ({error}).")
        return None
