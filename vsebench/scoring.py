"""The experiment file's list of metrics, and all of them computed at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vsebench.errors import ConfigError, did_you_mean, known_names
from vsebench.registry import METRICS

if TYPE_CHECKING:
    from vsebench.metrics.base import Predictions

_ENTRY = re.compile(r"^(?P<name>[^@]+?)(@(?P<one>\d+)|@\{(?P<many>\s*\d+(\s*,\s*\d+)*\s*)\})?$")


@dataclass(frozen=True)
class Metric:
    """One entry: a registered name and, for metrics of a list's head, its length k."""

    name: str
    k: int | None = None


def parse_metrics(entries: Sequence[str]) -> list[Metric]:
    """Read the list.

    Raises: ConfigError whose path is the entry's position: unknown name (with the nearest), a metric that has no k.

    Example:
        >>> parse_metrics(["recall@{1,5}"])
        [Metric(name='recall', k=1), Metric(name='recall', k=5)]
    """
    found: list[Metric] = []
    for i, entry in enumerate(entries):
        match = _ENTRY.match(entry.strip())
        if match is None or match["name"] not in METRICS:
            name = match["name"] if match else entry
            names = METRICS.names()
            raise ConfigError(f"unknown metric '{entry}'." + did_you_mean(name, names) + known_names(names), path=(i,))
        numbers = [int(n) for n in (match["one"] or match["many"] or "").split(",") if n.strip()]
        takes_k = "k" in METRICS.get(match["name"]).options
        if bool(numbers) != takes_k:
            right = f"{match['name']}@{{1,5,10}}" if takes_k else match["name"]
            raise ConfigError(f"metric '{entry}' is written '{right}'.", path=(i,))
        if 0 in numbers:
            raise ConfigError(f"metric '{entry}': k must be at least 1.", path=(i,))
        found += [Metric(match["name"], n) for n in numbers] or [Metric(match["name"])]
    return list(dict.fromkeys(found))


def metric_entry(key: str) -> str:
    """The entry that gives a key: ``recall@10`` for ``i2t/recall@10``, ``average_precision`` for its ``…/micro``.

    Raises: ConfigError when no metric gives it.
    """
    for part in key.split("/"):
        if part.split("@")[0] in METRICS:
            return part
    names = METRICS.names()
    raise ConfigError(f"no metric gives '{key}'." + did_you_mean(key, names) + known_names(names))


def versions(metrics: Sequence[Metric]) -> dict[str, int]:
    """Version of each metric's definition; part of a run's id."""
    return {m.name: int(METRICS.get(m.name).facts["version"]) for m in metrics}


def compute(predictions: Predictions, metrics: Sequence[Metric]) -> dict[str, float]:
    """All numbers that the predictions allow; what needs logits or embeddings that a system lacks is left out.

    Raises: MetricError when one cannot be computed.
    """
    result: dict[str, float] = {}
    for metric in metrics:
        component = METRICS.get(metric.name)
        if not _allowed(predictions, set(component.facts["needs"])):
            continue
        options = {} if metric.k is None else {"k": metric.k}
        result |= component.build(options, predictions=predictions)
    return result


def needs_embeddings(metrics: Sequence[Metric]) -> bool:
    """Whether any of them ranks items."""
    return any(set(METRICS.get(m.name).facts["needs"]) - {"logits"} for m in metrics)


def _allowed(predictions: Predictions, needs: set[str]) -> bool:
    if "logits" in needs and predictions.logits is None:
        return False
    if {"image", "text"} <= needs and predictions.retrieval:
        return True
    return needs - {"logits"} <= set(predictions.embeddings)


def higher_is_better(key: str) -> bool:
    """Whether a larger number under a metric's key (``test/i2t/recall@10``) is better."""
    parts = key.removeprefix("val/").removeprefix("test/").split("/")
    for part in parts:
        name = part.split("@")[0]
        if name in METRICS:
            return bool(METRICS.get(name).facts["higher_is_better"])
    return True
