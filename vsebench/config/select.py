"""Which validation number chooses the epoch, and the metrics of an experiment that names none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vsebench.config import document
from vsebench.config.schema import ExperimentFile, System
from vsebench.core.errors import ConfigError
from vsebench.core.metric_specs import Mode, selecting

#: In words, what a mode prefers.
BETTER = {"max": "higher is better", "min": "lower is better"}


@dataclass(frozen=True)
class Select:
    """A validation number and whether its largest or smallest value is the best.

    Args:
        metric: with its split, ``val/accuracy``.
        mode: that of the metric.
    """

    metric: str
    mode: Mode

    @property
    def plain(self) -> dict[str, str]:
        """As results and run ids have it."""
        return asdict(self)


@dataclass(frozen=True)
class Selection:
    """What an experiment is judged by.

    Args:
        select: what chooses the epoch.
        metrics: entries of the experiment's list.
    """

    select: Select
    metrics: tuple[str, ...]


def selection_of(
    doc: document.Document, spec: ExperimentFile, systems: Iterable[System], data: Mapping[str, Any] | None = None
) -> Selection:
    """Return the experiment's metrics and its ``select``, with defaults that fit its systems and data.

    Systems that all lack a head rank, the others classify. The defaults are accuracy for classes, average precision for
    data with several labels per item, the sum of recalls for ranking and, where any shared label makes a match, MAP.

    Args:
        doc: the file as read, for places in messages.
        spec: the validated file.
        systems: all rows.
        data: ``Dataset.describe()``; without it, data of one label per item.

    Raises: ConfigError at the line at fault: no such number, or a mode that is not the metric's.
    """
    systems = list(systems)
    multi_label = bool(data and data["multi_label"])
    if systems and all(system.head is None for system in systems):
        by_label = multi_label and data is not None and data["relevance"] == "label"
        default, metrics = ("val/i2t/map", ["map"]) if by_label else ("val/rsum", ["recall@{1,5,10}", "rsum"])
    else:
        name = "average_precision" if multi_label else "accuracy"
        default, metrics = f"val/{name}", [name]
    block = spec.select
    chosen = default if block.metric is None else block.metric
    try:
        mode = selecting(chosen)
        if block.mode not in (None, mode):
            best = "highest" if mode == "max" else "lowest"
            raise ConfigError(
                f"{chosen} is best when {best}: write mode: {mode}, or leave 'mode' out. Got '{block.mode}'.",
                path=("mode",),
            )
    except ConfigError as error:
        where = error.path if error.path == ("mode",) else ("metric",)
        raise error.at(doc.place(("select", *where))) from None
    return Selection(Select(chosen, mode), tuple(spec.metrics if "metrics" in spec.model_fields_set else metrics))
