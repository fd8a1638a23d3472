"""Stop runs early: asynchronous successive halving (Li et al. 2020, arXiv:1810.05934), in its stopping form.

    rungs at the epochs  min_epochs · reduction^k  below the run's own number of epochs
    n = runs that have reached the rung, this one with them
    the run goes on if fewer than max(1, ⌊n / reduction⌋) of them are strictly better

A run's value at a rung is its best validation value so far, as its result will be that of its best epoch.

Differs from the source: a run that is stopped is not taken up again when the rung fills later; the first run at a rung
therefore goes on (it is the best of one), and so do runs that tie with the last one kept.

Decisions are written down, in the order of arrival, in a file of the store. A run that is continued after a kill, or
done again, finds its own decision there and gets the same one, so that one worker makes the same decisions with and
without interruptions. With several workers the order of arrival, and with it the decisions, depend on their speed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock

from vsebench.config.schema import Prune
from vsebench.core.digests import digest
from vsebench.core.metric_specs import metric_entry, parse_metrics, versions
from vsebench.runs.store import Store

RUNGS = ".rungs"
Decide = Callable[[int, "float | None"], bool]


class Pruned(Exception):
    """A run is stopped at a rung; raised from ``on_epoch``, so that training knows nothing of it.

    Args:
        best: its best validation value; None when all of its values were NaN.
    """

    def __init__(self, epoch: int, best: float | None, best_epoch: int) -> None:
        self.epoch = epoch
        self.best = best
        self.best_epoch = best_epoch
        super().__init__(f"pruned at epoch {epoch}")


@dataclass(frozen=True)
class Arrival:
    """A run at a rung, as it stands in the file."""

    run: str
    epoch: int
    value: float | None
    promoted: bool


def rungs(prune: Prune, epochs: int) -> list[int]:
    """Return the epochs after which a run of ``epochs`` may be stopped.

    Example:
        >>> rungs(Prune(min_epochs=1, reduction=3), 27)
        [1, 3, 9]
    """
    results = []
    epoch = prune.min_epochs
    while epoch < epochs:
        results.append(epoch)
        epoch *= prune.reduction
    return results


def goes_on(value: float | None, earlier: Sequence[float | None], reduction: int, mode: str) -> bool:
    """Return whether a run is in the top ``1/reduction`` of what has reached its rung.

    Args:
        value: of the run; None where it has none.
        earlier: values of the runs that were there before.
        reduction: a run in so many goes on.
        mode: ``max`` or ``min``.

    Example:
        >>> goes_on(0.5, [], 3, "max"), goes_on(0.5, [0.6, 0.4], 3, "max"), goes_on(0.7, [0.6, 0.4], 3, "max")
        (True, False, True)
    """
    if value is None:
        return False
    sign = 1.0 if mode == "max" else -1.0
    better = sum(other is not None and sign * other > sign * value for other in earlier)
    return better < max(1, (len(earlier) + 1) // reduction)


class Halving:
    """Judges the epochs of one run.

    Args:
        store: the runs that it is compared with.
        run_id, epochs: of the run.
        metric, mode: the validation number.
        fingerprint: of the dataset; runs on other data are not compared.
        decide: says for a rung and the best value so far whether the run goes on; by default :meth:`arrive`.
    """

    def __init__(
        self,
        prune: Prune,
        store: Store,
        *,
        run_id: str,
        epochs: int,
        metric: str,
        mode: Literal["max", "min"],
        fingerprint: str,
        decide: Decide | None = None,
    ) -> None:
        measured = versions(parse_metrics([metric_entry(metric.removeprefix("val/"))]))  # others are no earlier values
        key = digest({**prune.model_dump(), "metric": metric, "mode": mode, "dataset": fingerprint, **measured})
        self.file = store.folder / RUNGS / f"{key}.jsonl"
        self.prune, self.run_id, self.metric, self.mode = prune, run_id, metric, mode
        self.rungs = set(rungs(prune, epochs))
        self.best: float | None = None
        self.best_epoch = 0
        self.decide: Decide = decide or (lambda epoch, value: self.arrive(epoch, value).promoted)

    def __call__(self, numbers: dict[str, float]) -> None:
        """Take an epoch's numbers.

        Raises: Pruned at a rung where the run does not go on.
        """
        epoch, value = int(numbers["epoch"]), numbers[self.metric]
        if not math.isnan(value) and (self.best is None or self._is_better(value, self.best)):
            self.best, self.best_epoch = value, epoch
        if epoch in self.rungs and not self.decide(epoch, self.best):
            raise Pruned(epoch, self.best, self.best_epoch)

    def _is_better(self, value: float, other: float) -> bool:
        return value > other if self.mode == "max" else value < other

    def arrive(self, epoch: int, value: float | None) -> Arrival:
        """Come to a rung with the best value so far, and learn the decision; the same one when asked again."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.file.with_suffix(".lock")):
            arrivals = [a for a in read_arrivals(self.file) if a.epoch == epoch]
            arrival_of_run = next((a for a in arrivals if a.run == self.run_id), None)
            if arrival_of_run is not None:
                return arrival_of_run
            promoted = goes_on(value, [a.value for a in arrivals], self.prune.reduction, self.mode)
            arrival = Arrival(self.run_id, epoch, value, promoted)
            _append(self.file, arrival)
            return arrival


def read_arrivals(file: Path) -> list[Arrival]:
    """Read the arrivals at all rungs, in order. A last line that a kill cut off does not count."""
    if not file.is_file():
        return []
    whole = file.read_text(encoding="utf-8").rpartition("\n")[0]
    return [Arrival(**json.loads(line)) for line in whole.splitlines()]


def _append(file: Path, arrival: Arrival) -> None:
    with file.open("a+b") as stream:
        stream.seek(0)
        whole = stream.read().rpartition(b"\n")
        stream.truncate(len(whole[0]) + len(whole[1]))
        stream.write(json.dumps(asdict(arrival)).encode() + b"\n")
