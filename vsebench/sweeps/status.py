"""Where a sweep stands: runs done, running and failed, the time left and the best row so far."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vsebench.config.select import BETTER
from vsebench.runs.store import Store, selected_value
from vsebench.sweeps.plan import Plan, Run
from vsebench.sweeps.worker import Event


@dataclass
class Running:
    """What a worker is doing."""

    run_id: str
    text: str
    since: float


@dataclass(frozen=True)
class Best:
    """The row that leads by the experiment's own validation number, over the seeds that are finished."""

    row: str
    value: float
    seeds: int
    metric: str
    mode: str

    @property
    def text(self) -> str:
        """``CIM, val/nll 0.167 (lower is better)``, with the number of seeds where there are several."""
        lines = [*([f"{self.seeds} seeds"] if self.seeds > 1 else []), BETTER[self.mode]]
        return f"{self.row}, {self.metric} {self.value:.3f} ({', '.join(lines)})"


@dataclass
class Watch:
    """Keeps account of a sweep's events.

    Args:
        store: where results are read when a run ends.
        workers: how many runs go on at the same time.
        clock: seconds, for tests.
    """

    store: Store
    workers: int
    clock: Callable[[], float] = time.monotonic
    runs: dict[str, list[Run]] = field(default_factory=dict)  # by id: rows that share a run have each their own
    open: set[str] = field(default_factory=set)
    running: dict[int, Running] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)
    expected: dict[str, float | None] = field(default_factory=dict)
    values: dict[str, dict[int, float]] = field(default_factory=dict)  # row -> seed -> validation number

    def add(self, plan: Plan, expected: Mapping[str, float | None]) -> None:
        """Take in a plan, or a search's next round.

        Args:
            plan: that is taken in.
            expected: seconds of its open runs, by id.
        """
        for run in plan.runs:
            self.runs.setdefault(run.run_id, []).append(run)
            if run.status == "finished":
                self._take_value(run.run_id)
        self.open |= {run.run_id for run in plan.todo}
        self.expected |= expected

    def take(self, event: Event) -> None:
        """Take in what a worker tells."""
        if event.kind in ("start", "progress"):
            before = self.running.get(event.worker)
            since = before.since if before is not None and before.run_id == event.run_id else self.clock()
            self.running[event.worker] = Running(event.run_id, event.text, since)
        elif event.kind == "end":
            was = self.running.pop(event.worker, None)
            if was is not None and was.run_id == event.run_id:
                self.durations[event.run_id] = self.clock() - was.since
            self.ended[event.run_id] = event.status
            if event.status == "finished":
                self._take_value(event.run_id)

    def count(self, status: str) -> int:
        """Return the number of runs of this sweep with a status."""
        return sum(s == status for s in self.ended.values())

    def title(self, run_id: str) -> str:
        """Format a run's name for people."""
        runs = self.runs.get(run_id)
        return runs[0].title if runs else run_id

    def seconds_left(self) -> float | None:
        """From earlier runs' records, corrected by what this sweep's runs took; None while there is neither."""
        waiting = [r for r in self.open if r not in self.ended]
        guesses = [(self.durations[r], self.expected.get(r)) for r in self.durations if self.ended.get(r) != "failed"]
        took = [(took, guess) for took, guess in guesses if guess]
        pace = sum(t for t, _ in took) / sum(g for _, g in took) if took else 1.0
        mean = sum(t for t, _ in guesses) / len(guesses) if guesses else None
        spent = {r.run_id: self.clock() - r.since for r in self.running.values()}
        left = 0.0
        for run_id in waiting:
            guess = self.expected.get(run_id)
            whole = guess * pace if guess is not None else mean
            if whole is None:
                return None
            left += max(0.0, whole - spent.get(run_id, 0.0))
        return left / max(1, min(self.workers, len(waiting)))

    def best(self) -> Best | None:
        """Return the best row so far, by validation only."""
        if not self.values:
            return None
        a_run = next(iter(self.runs.values()))[0]
        sign = -1.0 if a_run.select_mode == "min" else 1.0
        means = {row: math.fsum(seeds.values()) / len(seeds) for row, seeds in self.values.items()}
        row = max(means, key=lambda name: sign * means[name])
        return Best(row, means[row], len(self.values[row]), a_run.select_metric, a_run.select_mode)

    def _take_value(self, run_id: str) -> None:
        result = self.store.read(run_id)
        if result is None:
            return
        for run in self.runs.get(run_id, []):
            value = selected_value(self.store, result, run.select_metric)
            if math.isfinite(value):
                self.values.setdefault(run.name, {})[run.seed] = value
