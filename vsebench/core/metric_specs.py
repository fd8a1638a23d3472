"""The experiment file's list of metrics, and all of them computed at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vsebench.core.errors import ConfigError, UnknownComponent, did_you_mean, known_names, nearest
from vsebench.core.registry import METRICS

if TYPE_CHECKING:
    import numpy as np

    from vsebench.components.metric.base import Predictions

_NUMBERS = r"\{(?P<many>\s*\d+(\s*,\s*\d+)*\s*)\}"
_ENTRY = re.compile(rf"^(?P<name>[^@:]+?)(@((?P<one>\d+)|{_NUMBERS}|(?P<word>\w+)))?(:(?P<variant>\w+))?$")


#: What metrics need that rank nothing.
CLASSIFIES = {"logits", "answers"}
#: Parts of the keys of numbers that say nothing about a system's quality: levels of chance, counts, thresholds.
NO_QUALITY = {"chance", "skipped", "empty", "threshold"}

#: Whether the largest or the smallest value of a number is the best.
Mode = Literal["max", "min"]
#: Classes that an average leaves out are named up to this many.
NAMED = 20


@dataclass(frozen=True)
class Metric:
    """One entry: a registered name and, where the metric has them, the length of the list's head and a variant of the
    definition (``map@10:min``)."""

    name: str
    k: int | str | None = None
    variant: str | None = None

    @property
    def options(self) -> dict[str, int | str]:
        """What the metric is built with."""
        given = {"k": self.k, "variant": self.variant}
        return {name: value for name, value in given.items() if value is not None}


def parse_metrics(entries: Sequence[str]) -> list[Metric]:
    """Read the list.

    Raises: ConfigError whose path is the entry's position: unknown name (with the nearest), a metric that has no k or
    no such variant.

    Example:
        >>> [m.k for m in parse_metrics(["recall@{1,5}"])]
        [1, 5]
        >>> parse_metrics(["map@10:min"])
        [Metric(name='map', k=10, variant='min')]
    """
    results: list[Metric] = []
    for i, entry in enumerate(entries):
        match = _ENTRY.match(entry.strip())
        if match is None or match["name"] not in METRICS:
            name = match["name"] if match else entry
            names = METRICS.names()
            hint = f"unknown metric '{entry}'." + did_you_mean(name, names) + known_names(names)
            raise UnknownComponent(hint, component=f"metric '{entry}'", path=(i,))
        numbers = [int(n) for n in (match["one"] or match["many"] or "").split(",") if n.strip()]
        form = "@{k}" if numbers else f"@{match['word']}" if match["word"] else ""
        form += f":{match['variant']}" if match["variant"] else ""
        known = forms(match["name"])
        if form not in known:
            right = [f"'{match['name']}{f.replace('{k}', '{1,5,10}')}'" for f in known]
            hint = " or ".join([", ".join(right[:-1]), right[-1]] if len(right) > 1 else right)
            raise ConfigError(f"metric '{entry}' is written {hint}.", path=(i,))
        if 0 in numbers and not _takes(match["name"], 0):
            raise ConfigError(f"metric '{entry}': k must be at least 1.", path=(i,))
        lengths: list[int | str | None] = [*numbers] or [match["word"]]
        results += [Metric(match["name"], k, match["variant"]) for k in lengths]
    return list(dict.fromkeys(results))


def forms(name: str) -> tuple[str, ...]:
    """Return how entries of a metric go on behind its name; ``@{k}`` stands for numbers.

    Example:
        >>> forms("recall"), forms("rsum")
        (('@{k}',), ('',))
    """
    component = METRICS.get(name)
    return tuple(component.facts["forms"]) or (("@{k}",) if "k" in component.options else ("",))


def _takes(name: str, k: int) -> bool:
    """Return whether a number is in the range of a metric's k: a list has an item at least, a radius may be 0."""
    try:
        METRICS.get(name).validate({"k": k})
    except ConfigError:
        return False
    return True


def metric_entry(key: str) -> str:
    """Return the entry that gives a key: ``recall@10`` for ``i2t/recall@10``, ``average_precision`` for ``…/micro``.

    Raises: ConfigError when no metric gives it.
    """
    for part in key.split("/"):
        if metric_name(part) in METRICS:
            return part
    names = METRICS.names()
    hint = f"no metric gives '{key}'." + did_you_mean(key, names) + known_names(names)
    raise UnknownComponent(hint, component=f"the metric of '{key}'")


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
        result |= component.build(metric.options, predictions=predictions)
    return result


def folded(entries: Sequence[str]) -> list[int]:
    """Return which entries rank parts of a split against themselves, so that there can be no other gallery.

    Raises: ConfigError as :func:`parse_metrics`.
    """
    named = [{m.name for m in parse_metrics([entry])} for entry in entries]
    return [i for i, names in enumerate(named) if any(METRICS.get(name).facts["folds"] for name in names)]


def needs_embeddings(metrics: Sequence[Metric]) -> bool:
    """Return whether any of them ranks items."""
    return any(set(METRICS.get(m.name).facts["needs"]) - CLASSIFIES for m in metrics)


def _allowed(predictions: Predictions, needs: set[str]) -> bool:
    if "logits" in needs and predictions.logits is None:
        return False
    if "codes" in needs:
        return predictions.codes
    needs -= {"answers"}  # their absence is the data's, not the system's: the metric says so
    if {"image", "text"} <= needs and predictions.retrieval:
        return True
    return needs - {"logits"} <= set(predictions.embeddings)


def mode_of(key: str) -> Mode | None:
    """Return whether the largest or the smallest value under a metric's key is the best, as the metric was registered.

    None where no value is better than another: chance levels, counts of queries, and numbers of no registered metric.

    Example:
        >>> mode_of("test/i2t/recall@10"), mode_of("val/nll"), mode_of("val/i2t/chance/recall@1")
        ('max', 'min', None)
    """
    parts = key.removeprefix("val/").removeprefix("test/").split("/")
    if not NO_QUALITY.isdisjoint(parts):
        return None
    name = next((metric_name(part) for part in parts if metric_name(part) in METRICS), None)
    if name is None:
        return None
    return "max" if METRICS.get(name).facts["higher_is_better"] else "min"


def best_of(key: str, values: Iterable[float]) -> float | None:
    """Return the best of some values under a metric's key; None without any, or where none is better than another."""
    mode, values = mode_of(key), list(values)
    if mode is None or not values:
        return None
    return max(values) if mode == "max" else min(values)


def selecting(key: str) -> Mode:
    """Return how a number of validation chooses an epoch.

    Args:
        key: with its split, ``val/i2t/recall@1``.

    Raises: ConfigError when no metric gives the number, or it says nothing about quality.
    """
    bare = key.removeprefix("val/")
    if not any(metric_name(part) in METRICS for part in bare.split("/")):
        names = METRICS.names()
        near = nearest(metric_name(bare.split("/")[-1]), names)
        right = key.replace(metric_name(bare.split("/")[-1]), near[0]) if near else ""
        message = f" Did you mean '{right}'?" if near else ""
        raise ConfigError(f"unknown metric '{key}'.{message}" + known_names(names))
    mode, metrics = mode_of(key), parse_metrics([metric_entry(bare)])
    if mode is None:
        raise ConfigError(f"'{key}' says nothing about a system's quality and cannot choose an epoch.")
    if len(metrics) > 1:
        raise ConfigError(f"an epoch is chosen by one number, and '{key}' is {len(metrics)}.")
    return mode


def metric_name(part: str) -> str:
    """Return the name of the metric in a part of a key or an entry: ``recall`` of ``recall@10``."""
    return re.split("[@:]", part, maxsplit=1)[0]


def tuned(validation: Predictions, metrics: Sequence[Metric]) -> dict[str, float]:
    """Return the thresholds that metrics choose on validation, for :attr:`Predictions.thresholds` of validation and
    test.

    Args:
        validation: predictions of the validation split.
        metrics: those of the run.
    """
    results: dict[str, float] = {}
    for name in dict.fromkeys(metric.name for metric in metrics):
        facts = METRICS.get(name).facts
        if facts["tune"] is not None and _allowed(validation, set(facts["needs"])):
            results |= facts["tune"](validation)
    return results


def resampled(predictions: Predictions, metrics: Sequence[Metric], counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the metrics that say how they are resampled, of B resamples.

    Args:
        predictions: of one split.
        metrics: asked for; those that do not say how are left out.
        counts: int32 (n, B), how often each item was drawn.

    Returns: key -> float64 (B,), NaN where a resample has none of what the number is of.

    Raises: MetricError when one cannot be computed.
    """
    results: dict[str, np.ndarray] = {}
    for metric in metrics:
        facts = METRICS.get(metric.name).facts
        if facts["resample"] is not None and _allowed(predictions, set(facts["needs"])):
            results |= facts["resample"](predictions, counts, **metric.options)
    return results


def classes_left_out(predictions: Predictions, metrics: Sequence[Metric]) -> list[str]:
    """Return the classes that averages over classes leave out, by name, a line for each metric."""
    lines = []
    for name in dict.fromkeys(metric.name for metric in metrics):
        facts = METRICS.get(name).facts
        if facts["classes"] is None or not _allowed(predictions, set(facts["needs"])):
            continue
        over = facts["classes"](predictions)
        names = predictions.label_names or [str(c) for c in range(len(over))]
        out = [names[c] for c, counted in enumerate(over) if not counted]
        if out:
            more = f" and {len(out) - NAMED} more" if len(out) > NAMED else ""
            lines.append(f"{name} is not over {len(out)} of {len(over)} classes: {', '.join(out[:NAMED])}{more}")
    return lines
