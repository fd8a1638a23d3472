"""Sample the configurations of a search with Optuna, in rounds of fixed size.

Nothing of a search is stored but its runs. The study is rebuilt in memory each time: the configurations of a round are
asked, and told with what the store has of them in the order in which they were asked, before the next round is asked.
What is asked is thereby a function of the file and of the results, however often a search was stopped and whatever the
number of workers. A search by ``random`` does not learn, and is one round.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from vsebench.config.axes import Row
from vsebench.config.experiment import Experiment
from vsebench.config.schema import Range
from vsebench.config.space import Space
from vsebench.core.errors import ConfigError
from vsebench.runs.store import Store, selected_value
from vsebench.sweeps.plan import Plan, Run, is_over, make_plan, runs_of

#: Draws for one configuration that may be excluded, invalid or asked before; after half of them draws are uniform.
MAX_DRAWS = 1_000
#: Configurations that the method tpe draws uniformly before it learns: its first round.
FIRST_ROUND = 10


@dataclass(frozen=True)
class Verdict:
    """What the runs of a configuration came to.

    Args:
        state: ``pruned`` when one of its seeds was, ``failed`` when one failed or has no finite value.
        value: mean over its seeds of the best validation value.
        epoch: for a pruned one, the first epoch at which a seed was stopped.
    """

    state: Literal["finished", "pruned", "failed"]
    value: float = math.nan
    epoch: int = 0


class Search:
    """The configurations that a search has asked so far, and the next ones.

    Args:
        dataset: ``Dataset.describe()``.
        store: where results are.

    Raises: ConfigError when no new configuration is found within ``MAX_DRAWS`` draws.
    """

    def __init__(self, experiment: Experiment, dataset: Mapping[str, Any], store: Store) -> None:
        assert experiment.space is not None, "a grid has its rows already"
        self.space: Space = experiment.space
        self.experiment = experiment
        self.dataset = dataset
        self.store = store
        self.sampled: list[Row] = []
        self._open: list[tuple[Any, Row]] = []  # trials that are not told yet
        self._names = {row.name for row in experiment.rows}
        self._study = _study(experiment)
        self._uniform = _study(experiment, uniform=True)
        self._distributions = _distributions(self.space)

    def replay(self) -> Plan:
        """Ask again what was asked before: all rounds whose runs are over, and the one after them."""
        plan = make_plan(self.experiment, self.dataset, self.store)
        while runs := self.ask():
            plan = replace(plan, runs=(*plan.runs, *runs), experiment=self.known())
            if any(run.status not in ("finished", "pruned") for run in runs):
                break
        return plan

    def known(self) -> Experiment:
        """Return the experiment with the rows that are asked so far."""
        return replace(self.experiment, rows=(*self.experiment.rows, *self.sampled))

    def ask(self) -> list[Run]:
        """Return the runs of the next round; none when the budget is used up.

        Everything that was asked before must be over. A failed run is over once it was tried again.
        """
        for trial, row in self._open:
            self._tell(trial, self.verdict_on(row))
        self._open = []
        rows = []
        for _ in range(self._size()):
            trial, row = self._draw()
            self._open.append((trial, row))
            self.sampled.append(row)
            rows.append(row)
        return runs_of(self.experiment, rows, self.dataset, self.store)

    def verdict_on(self, row: Row) -> Verdict:
        """Return the verdict on a configuration whose runs are over."""
        results = []
        for run in runs_of(self.experiment, [row], self.dataset, self.store):
            result = self.store.read(run.run_id)
            if result is None or not (is_over(run, result) or result.status == "failed"):
                raise ValueError(f"run {run.run_id} of '{row.name}' is not over")
            results.append(result)
        if any(result.status == "failed" for result in results):
            return Verdict("failed")
        metric = self.experiment.select.metric
        value = math.fsum(selected_value(self.store, result, metric) for result in results) / len(results)
        if not math.isfinite(value):
            return Verdict("failed")
        stopped = [result.epochs for result in results if result.status == "pruned"]
        return Verdict("pruned", value, min(stopped)) if stopped else Verdict("finished", value)

    def _size(self) -> int:
        sweep, left = self.space.sweep, self.space.budget - len(self.sampled)
        if sweep.method == "random":
            return left
        return min(left, sweep.round if self.sampled else max(FIRST_ROUND, sweep.round))

    def _draw(self) -> tuple[Any, Row]:
        from optuna.trial import TrialState

        for attempt in range(MAX_DRAWS):
            with _quiet():
                if attempt >= MAX_DRAWS // 2:
                    self._study.enqueue_trial(self._uniform.ask(self._distributions).params)
                trial = self._study.ask(self._distributions)
            row = self._row(trial.params)
            if row is not None and row.name not in self._names:
                self._names.add(row.name)
                return trial, row
            self._study.tell(trial, state=TrialState.FAIL)
        raise ConfigError(
            f"no new valid configuration in {MAX_DRAWS:,} draws, after {len(self.sampled)} of {self.space.budget}. "
            "Give a smaller 'budget', more values, or fewer that exclude each other.",
            place=self.space.document.place(("sweep", "budget")),
        )

    def _row(self, drawn: Mapping[str, Any]) -> Row | None:
        names = _group_names(self.space)
        picked = tuple(
            list(_labels(group)).index(drawn[name])
            for name, group in zip(names, self.space.choices.groups, strict=True)
        )
        return self.space.row(picked, {axis: drawn[axis] for axis in self.space.ranges})

    def _tell(self, trial: Any, verdict: Verdict) -> None:
        from optuna.trial import TrialState

        if verdict.state == "finished":
            self._study.tell(trial, verdict.value)
        elif verdict.state == "pruned":
            trial.report(verdict.value, verdict.epoch)
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, state=TrialState.FAIL)


def _study(experiment: Experiment, *, uniform: bool = False) -> Any:
    import optuna

    assert experiment.space is not None
    sweep = experiment.space.sweep
    direction: Literal["minimize", "maximize"] = "minimize" if experiment.select.mode == "min" else "maximize"
    with _quiet():
        sampler: Any
        if uniform or sweep.method == "random":
            sampler = optuna.samplers.RandomSampler(seed=sweep.seed)
        else:
            sampler = optuna.samplers.TPESampler(
                seed=sweep.seed, multivariate=True, constant_liar=True, n_startup_trials=FIRST_ROUND
            )
        return optuna.create_study(direction=direction, sampler=sampler)


def _distributions(space: Space) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution

    groups = zip(_group_names(space), space.choices.groups, strict=True)
    result: dict[str, Any] = {name: CategoricalDistribution(tuple(_labels(group))) for name, group in groups}
    return {**result, **{axis: _numbers(numbers) for axis, numbers in space.ranges.items()}}


def _numbers(numbers: Range) -> Any:
    from optuna.distributions import FloatDistribution, IntDistribution

    if numbers.is_integer:
        return IntDistribution(int(numbers.low), int(numbers.high), log=numbers.log, step=int(numbers.step or 1))
    step = None if numbers.step is None else float(numbers.step)
    return FloatDistribution(float(numbers.low), float(numbers.high), log=numbers.log, step=step)


def _group_names(space: Space) -> list[str]:
    return [" + ".join(group[0]) for group in space.choices.groups]


def _labels(group: Any) -> Iterator[str]:
    return (" + ".join(value.label for value in point.values()) for point in group)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's log of every trial, and its notes that an option may change."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def progress(plan: Plan) -> dict[str, int]:
    """Return how many configurations of a search are finished, pruned, failed and open."""
    states: dict[str, set[str]] = {}
    for run in plan.runs:
        if run.section == "sweep":
            states.setdefault(run.name, set()).add(run.status)
    results = {"finished": 0, "pruned": 0, "failed": 0, "open": 0}
    for statuses in states.values():
        if statuses & {"started", "waiting"}:
            results["open"] += 1
        else:
            results[next(s for s in ("failed", "pruned", "finished") if s in statuses)] += 1
    return results
